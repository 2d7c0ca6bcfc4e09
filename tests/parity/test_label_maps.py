"""The flagship: label maps and logits equal nnU-Net's own, on every kind of size."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.random_model import MIN_CLASS_SHARE, MIN_MEDIAN_GAP, TrainedFolder
from droneseg.bundle import Bundle
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export.reference import Reference
from export.trained_model import TrainedModel
from tests.parity.conftest import Photo, assert_parity
from tests.trained import restore_trained_folder

pytestmark = pytest.mark.parity

# In patches of the model; the small models' patch is 64 x 48 px, the default model's 384 x 384.
SIZES = {
    "smaller": (0.6, 0.7),
    "smaller in height": (0.4, 2.3),
    "equal": (1.0, 1.0),
    "a little larger": (1.02, 1.02),
    "odd, many windows": (1.83, 1.51),
}


def bordered(photo: Photo) -> Photo:
    """Black on all sides but the lower one, by different amounts."""
    height, width = photo.shape[:2]
    photo[: height // 7] = 0
    photo[:, : width // 5] = 0
    photo[:, width - width // 9 :] = 0
    return photo


def photos(patch_size: tuple[int, int]) -> dict[str, Photo]:
    height, width = patch_size
    drawn = {
        name: draw_scene(round(rows * height), round(columns * width), seed=index)
        for index, (name, (rows, columns)) in enumerate(SIZES.items())
    }
    return {
        **drawn,
        "one pixel wide": draw_scene(height + 9, 1, seed=20),
        "one pixel high": draw_scene(1, 2 * width + 9, seed=21),
        "black borders": bordered(draw_scene(int(1.7 * height), int(1.9 * width), seed=22)),
        "black but for one pixel": np.pad([[[9, 0, 0]]], ((30, 40), (50, 20), (0, 0))).astype("u1"),
        "all black": np.zeros((height + 3, width - 5, 3), np.uint8),
    }


KINDS = tuple(photos((64, 48)))


@pytest.mark.parametrize("kind", KINDS)
def test_two_folds(
    kind: str, two_folds_predictor: Predictor, two_folds_reference: Reference
) -> None:
    photo = photos(two_folds_predictor.plan.members[0].patch_size)[kind]
    assert_parity(two_folds_predictor, two_folds_reference, photo)


@pytest.mark.parametrize("kind", KINDS)
def test_one_mirror_axis_and_an_unknown_trainer(
    kind: str, one_axis_predictor: Predictor, one_axis_reference: Reference
) -> None:
    photo = photos(one_axis_predictor.plan.members[0].patch_size)[kind]
    assert_parity(one_axis_predictor, one_axis_reference, photo)


@pytest.fixture(scope="module")
def default_reference(
    default_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Reference:
    """nnU-Net's predictor on the default model, whose weights are taken from its ONNX file."""
    plan = default_bundle.plan
    member = plan.members[0]
    trained = TrainedFolder(
        patch_size=member.patch_size,
        mirror_axes=member.mirror_axes,
        classes=tuple(label.name for label in plan.labels),
        ignore=True,
        features=(16, 32, 64, 128, 256, 256),
    )
    folder: Path = tmp_path_factory.mktemp("trained") / "default"
    restore_trained_folder(default_bundle.model_path(), trained, folder)
    return Reference(TrainedModel.load(folder))


@pytest.mark.parametrize("kind", KINDS)
def test_default_model(
    kind: str, default_predictor: Predictor, default_reference: Reference
) -> None:
    photo = photos(default_predictor.plan.members[0].patch_size)[kind]
    assert_parity(default_predictor, default_reference, photo)


@pytest.mark.parametrize("model", ["two_folds", "one_axis"])
def test_the_random_models_decide_by_more_than_noise(
    model: str, request: pytest.FixtureRequest
) -> None:
    """Otherwise parity would say nothing."""
    predictor: Predictor = request.getfixturevalue(f"{model}_predictor")
    (logits,) = predictor.trace(draw_scene(100, 90, seed=50)).logits
    first, second = np.sort(logits, axis=0)[:-3:-1]
    assert np.median(first - second) >= MIN_MEDIAN_GAP
    shares = np.bincount(logits.argmax(axis=0).ravel()) / first.size
    assert np.count_nonzero(shares >= MIN_CLASS_SHARE) >= 3


def test_photos_that_share_batches_are_predicted_as_if_alone(
    two_folds_predictor: Predictor,
) -> None:
    together = list(photos(two_folds_predictor.plan.members[0].patch_size).values())
    results = two_folds_predictor.segment(together)
    assert len(results) == len(together)
    for photo, result in zip(together, results, strict=True):
        (alone,) = two_folds_predictor.segment([photo])
        np.testing.assert_array_equal(result.labels, alone.labels)
