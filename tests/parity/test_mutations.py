"""Parity must be able to fail: each mistake in the sliding window has to be caught."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import droneseg.predictor
import droneseg.preprocess
import droneseg.tiling
from droneseg.bundle import Bundle
from droneseg.predictor import Predictor
from droneseg.preprocess import Box, NormalizedImage
from droneseg.scene import draw_scene
from droneseg.tiling import Tiling, window_starts
from export.errors import ProofFailed
from export.photos import Photo
from export.proof import prove
from export.reference import Reference
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

    patch.setattr(droneseg.predictor, "gaussian_weights", flat)


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

    def shorter(planes: NDArray[np.uint8]) -> Box:
        box = nonzero_box(planes)
        return replace(box, top=box.top + 1)

    patch.setattr(droneseg.preprocess, "nonzero_box", shorter)


def do_not_crop(patch: pytest.MonkeyPatch) -> None:
    def whole(planes: NDArray[np.uint8]) -> Box:
        return Box(0, planes.shape[1], 0, planes.shape[2])

    patch.setattr(droneseg.preprocess, "nonzero_box", whole)


def do_not_mirror(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(np, "flip", lambda array, axes: array)


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
        do_not_mirror,
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
