"""Probabilities and confidence, against those of all logits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.random_model import TrainedFolder
from droneseg.bundle import Bundle
from droneseg.errors import InvalidOption
from droneseg.label_manager import LabelManager
from droneseg.mode import FAST_TILE_STEP_SIZE
from droneseg.outcome import CONFIDENCE_STRIDE_PX
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export.trained_model import TrainedModel
from export.writer import BundleWriter

REGIONS = TrainedFolder(regions=(("all", (1, 2, 3), 1), ("road", (2,), 2), ("tree", (3,), 3)))


def framed() -> NDArray[np.uint8]:
    """A photo with a black border, whose crop begins on no row of the grid."""
    return np.pad(draw_scene(101, 131, seed=3), ((5, 3), (9, 1), (0, 0)))


@pytest.fixture(scope="module")
def regions_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder: Path = REGIONS.write(tmp_path_factory.mktemp("trained") / "regions")
    output = tmp_path_factory.mktemp("models") / "regions"
    return BundleWriter([TrainedModel.load(folder)], "regions", {}).write(output)


@pytest.mark.parametrize("name", ["two_folds_bundle", "regions_bundle"])
def test_probabilities_and_confidence_are_those_of_the_logits(
    name: str, request: pytest.FixtureRequest
) -> None:
    predictor = Predictor(request.getfixturevalue(name))
    photo = framed()
    (result,) = predictor.segment([photo], probabilities=True, confidence=True)
    manager = LabelManager(predictor.plan.regions)
    expected = manager.apply_inference_nonlin(predictor.trace(photo).logits[0])
    assert result.probabilities is not None
    inner = result.probabilities[:, 5:-3, 9:-1]
    np.testing.assert_array_equal(inner, np.rint(expected * 255))
    grid = expected[:, ::CONFIDENCE_STRIDE_PX, ::CONFIDENCE_STRIDE_PX]
    assert result.confidence == pytest.approx(float(manager.confidence(grid).mean()), rel=1e-6)
    outside = result.probabilities[:, 0, 0].tolist()
    assert outside == ([0, 0, 0] if predictor.plan.regions else [255, 0, 0, 0])


def test_nothing_is_kept_unless_it_is_wanted(two_folds_bundle: Bundle) -> None:
    (result,) = Predictor(two_folds_bundle).segment([framed()])
    assert (result.probabilities, result.confidence) == (None, None)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_fast_does_not_mirror_and_takes_wider_steps(two_folds_bundle: Bundle, runtime: str) -> None:
    photo = draw_scene(90, 130, seed=3)
    plan = two_folds_bundle.plan
    member = replace(plan.members[0], mirror_axes=())
    changed = replace(plan, members=(member,), tile_step_size=FAST_TILE_STEP_SIZE)
    by_plan = Predictor(
        replace(two_folds_bundle, plan=changed),
        engine=runtime,
        precision=Predictor(two_folds_bundle, mode="fast", engine=runtime).engines[0].precision,
    )
    fast = Predictor(two_folds_bundle, mode="fast", engine=runtime)
    exact = Predictor(two_folds_bundle, engine=runtime)
    labels = [predictor.segment([photo])[0].labels for predictor in (fast, by_plan, exact)]
    np.testing.assert_array_equal(labels[0], labels[1])
    assert not np.array_equal(labels[0], labels[2])


def test_every_choice_of_a_mode_can_be_overridden(two_folds_bundle: Bundle) -> None:
    photo = draw_scene(90, 130, seed=3)
    fast = Predictor(
        two_folds_bundle, mode="fast", precision="fp32", mirroring=True, tile_step_size=0.5
    )
    np.testing.assert_array_equal(
        fast.segment([photo])[0].labels, Predictor(two_folds_bundle).segment([photo])[0].labels
    )


@pytest.mark.parametrize("step", [0, 1.01])
def test_a_step_that_leaves_pixels_out_is_refused(two_folds_bundle: Bundle, step: float) -> None:
    with pytest.raises(InvalidOption, match="tile_step_size"):
        Predictor(two_folds_bundle, tile_step_size=step)
