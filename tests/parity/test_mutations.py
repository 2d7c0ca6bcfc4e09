"""Parity must be able to fail: each mistake in the sliding window has to be caught."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

import droneseg.image_run
import droneseg.label_manager
import droneseg.preprocess
import droneseg.tiling
import export.writer
from benchmarks.random_model import TrainedFolder
from droneseg.bundle import Bundle
from droneseg.label_manager import LabelManager
from droneseg.mirroring import MirroredNetwork
from droneseg.normalization import ImageArray
from droneseg.plan import Channel, InferencePlan
from droneseg.predictor import Predictor
from droneseg.preprocess import Box, NormalizedImage
from droneseg.scene import draw_scene
from droneseg.tiling import Float32Array, Tiling, window_starts
from export.errors import ProofFailed
from export.onnx_model import FoldMean
from export.photos import Photo
from export.proof import prove
from export.reference import Reference
from export.trained_model import TrainedModel
from export.writer import BundleWriter
from tests.conftest import ONE_AXIS
from tests.parity.conftest import assert_parity

pytestmark = pytest.mark.parity

Mutate = Callable[[pytest.MonkeyPatch], None]


def shift_a_window(patch: pytest.MonkeyPatch) -> None:
    def shifted(size_px: int, patch_px: int, tile_step_size: float) -> list[int]:
        first, *others = window_starts(size_px, patch_px, tile_step_size)
        return [first, *(start - 1 for start in others[:1]), *others[1:]]

    patch.setattr(droneseg.tiling, "window_starts", shifted)


def drop_the_gaussian(patch: pytest.MonkeyPatch) -> None:
    def flat(patch_size: tuple[int, int], sigma_scale: float) -> NDArray[np.float32]:
        return np.ones(patch_size, np.float32)

    patch.setattr(droneseg.image_run, "gaussian_weights", flat)


def normalise_each_tile(patch: pytest.MonkeyPatch) -> None:
    cut = Tiling.cut

    def normalised(
        self: Tiling, image: NormalizedImage, corner: tuple[int, int], out: NDArray[np.float32]
    ) -> None:
        cut(self, image, corner, out)
        out -= out.mean(axis=(1, 2), keepdims=True)
        out /= out.std(axis=(1, 2), keepdims=True)

    patch.setattr(Tiling, "cut", normalised)


def crop_one_row_more(patch: pytest.MonkeyPatch) -> None:
    nonzero_box = droneseg.preprocess.nonzero_box

    def shorter(planes: ImageArray) -> Box:
        box = nonzero_box(planes)
        return replace(box, top=box.top + 1)

    patch.setattr(droneseg.preprocess, "nonzero_box", shorter)


def do_not_crop(patch: pytest.MonkeyPatch) -> None:
    def whole(planes: ImageArray) -> Box:
        return Box(0, planes.shape[1], 0, planes.shape[2])

    patch.setattr(droneseg.preprocess, "nonzero_box", whole)


def do_not_turn(patch: pytest.MonkeyPatch) -> None:
    def once(self: MirroredNetwork, tiles: Float32Array, sums: Float32Array) -> None:
        self._engine.run(tiles, sums)
        sums *= 2

    patch.setattr(MirroredNetwork, "_run_both_ways", once)


def do_not_mirror_back(patch: pytest.MonkeyPatch) -> None:
    def images(self: MirroredNetwork) -> list[tuple[int, ...]]:
        return [(0,), (0,), (0,)]

    patch.setattr(MirroredNetwork, "_mirror_images", images)


def bordered_scene() -> NDArray[np.uint8]:
    photo = draw_scene(131, 117, seed=30)
    photo[:11] = 0
    photo[:, -9:] = 0
    return photo


@pytest.mark.parametrize(
    "mutate",
    [
        shift_a_window,
        drop_the_gaussian,
        normalise_each_tile,
        crop_one_row_more,
        do_not_crop,
        do_not_mirror_back,
    ],
)
def test_a_mistake_in_the_pipeline_is_caught(
    mutate: Mutate,
    monkeypatch: pytest.MonkeyPatch,
    two_folds_predictor: Predictor,
    two_folds_reference: Reference,
) -> None:
    photo = bordered_scene()
    assert_parity(two_folds_predictor, two_folds_reference, photo)
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        assert_parity(two_folds_predictor, two_folds_reference, photo)
    (proof,) = prove([two_folds_predictor], two_folds_reference, [Photo("bordered", photo)])
    with pytest.raises(ProofFailed):
        proof.require()


def test_a_mistake_in_mirroring_for_engines_that_do_not_is_caught(
    monkeypatch: pytest.MonkeyPatch, two_folds_bundle: Bundle, two_folds_reference: Reference
) -> None:
    predictor = Predictor(two_folds_bundle, engine="onnxruntime")
    assert_parity(predictor, two_folds_reference, bordered_scene())
    do_not_turn(monkeypatch)
    with pytest.raises(AssertionError):
        assert_parity(predictor, two_folds_reference, bordered_scene())


def test_padding_on_the_wrong_side_is_caught(
    monkeypatch: pytest.MonkeyPatch,
    two_folds_predictor: Predictor,
    two_folds_reference: Reference,
) -> None:
    photo = draw_scene(41, 31, seed=31)
    assert_parity(two_folds_predictor, two_folds_reference, photo)
    of = Tiling.of

    def padded(shape: tuple[int, int], patch: tuple[int, int], step: float) -> Tiling:
        tiling = of(shape, patch, step)
        return replace(tiling, padding=(tiling.padding[0] + 1, tiling.padding[1]))

    monkeypatch.setattr(Tiling, "of", padded)
    with pytest.raises(AssertionError):
        assert_parity(two_folds_predictor, two_folds_reference, photo)


def test_a_swapped_mirror_axis_is_caught(
    one_axis_bundle: Bundle, one_axis_reference: Reference
) -> None:
    plan = one_axis_bundle.plan
    members = (replace(plan.members[0], mirror_axes=(1,)),)
    swapped = replace(one_axis_bundle, plan=replace(plan, members=members))
    with pytest.raises(AssertionError):
        assert_parity(Predictor(swapped), one_axis_reference, bordered_scene())


def test_a_coarser_step_is_caught(two_folds_bundle: Bundle, two_folds_reference: Reference) -> None:
    coarse = replace(two_folds_bundle, plan=replace(two_folds_bundle.plan, tile_step_size=0.75))
    with pytest.raises(AssertionError):
        assert_parity(Predictor(coarse), two_folds_reference, bordered_scene())


MIXED = TrainedFolder(
    classes=("background", "roof", "road", "tree"),
    regions=(("built", (1, 2), 1), ("road", (2,), 2), ("green", (3,), 3)),
    channel_names=("ct", "zscore", "rescale_to_0_1"),
    folds=("0", "1"),
    masked=True,
    seed=3,
)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return TrainedModel.load(MIXED.write(tmp_path_factory.mktemp("trained") / "mixed"))


@pytest.fixture(scope="module")
def mixed_bundle(mixed: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return BundleWriter([mixed], "mixed", {}).write(tmp_path_factory.mktemp("models") / "mixed")


def other_scheme(plan: InferencePlan) -> InferencePlan:
    first, *others = plan.members[0].channels
    return with_channels(plan, (replace(first, normalization="RescaleTo01Normalization"), *others))


def other_intensities(plan: InferencePlan) -> InferencePlan:
    first, *others = plan.members[0].channels
    assert first.intensities is not None
    brighter = replace(first.intensities, percentile_99_5=first.intensities.percentile_99_5 - 9)
    return with_channels(plan, (replace(first, intensities=brighter), *others))


def swapped_channels(plan: InferencePlan) -> InferencePlan:
    return with_channels(plan, plan.members[0].channels[::-1])


def without_mask(plan: InferencePlan) -> InferencePlan:
    channels = plan.members[0].channels
    return with_channels(plan, tuple(replace(c, use_mask_for_norm=False) for c in channels))


def with_channels(plan: InferencePlan, channels: tuple[Channel, ...]) -> InferencePlan:
    return replace(plan, members=(replace(plan.members[0], channels=channels),))


def regions_renumbered(plan: InferencePlan) -> InferencePlan:
    first, second, third = plan.regions
    swapped = (replace(first, id=second.id), replace(second, id=first.id), third)
    return replace(plan, regions=swapped)


def regions_as_classes(plan: InferencePlan) -> InferencePlan:
    return replace(plan, regions=(), labels=plan.labels[:3])


@pytest.mark.parametrize(
    "change",
    [
        other_scheme,
        other_intensities,
        swapped_channels,
        without_mask,
        regions_renumbered,
        regions_as_classes,
    ],
)
def test_a_mistake_in_the_plan_is_caught(
    change: Callable[[InferencePlan], InferencePlan], mixed: TrainedModel, mixed_bundle: Bundle
) -> None:
    photo = bordered_scene()
    photo[40:60, 30:70] = 0
    reference = Reference(mixed)
    assert_parity(Predictor(mixed_bundle), reference, photo)
    changed = replace(mixed_bundle, plan=change(mixed_bundle.plan))
    with pytest.raises(AssertionError):
        assert_parity(Predictor(changed), reference, photo)


def test_painting_regions_in_another_order_is_caught(
    mixed: TrainedModel, mixed_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint = droneseg.label_manager._paint

    def backwards(present: NDArray[np.bool_], ids: tuple[int, ...]) -> NDArray[np.uint8]:
        return paint(present[::-1], ids[::-1])

    monkeypatch.setattr(droneseg.label_manager, "_paint", backwards)
    with pytest.raises(AssertionError):
        assert_parity(Predictor(mixed_bundle), Reference(mixed), bordered_scene())


class UnevenMean(FoldMean):
    """The first fold counts twice."""

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__([networks[0], *networks])


def test_a_wrong_weight_of_a_fold_is_caught(
    mixed: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.writer, "FoldMean", UnevenMean)
    with pytest.raises(ProofFailed, match="logits differ by"):
        BundleWriter([mixed], "uneven", {}).write(tmp_path / "uneven")
    assert not list(tmp_path.iterdir())


def test_a_wrong_weight_of_an_ensembles_member_is_caught(
    two_folds: Path, one_axis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonlin = LabelManager.apply_inference_nonlin

    def softer(self: LabelManager, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return nonlin(self, logits * np.float32(0.5))

    monkeypatch.setattr(LabelManager, "apply_inference_nonlin", softer)
    other = replace(ONE_AXIS, ignore=True).write(tmp_path / "trained")
    models = [TrainedModel.load(folder) for folder in (two_folds, other)]
    with pytest.raises(ProofFailed, match="of the labels differ"):
        BundleWriter(models, "uneven", {}).write(tmp_path / "models" / "uneven")
