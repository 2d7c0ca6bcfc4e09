"""Window positions, Gaussian, padding, crop and z-score directly against nnU-Net's functions."""

import numpy as np
import pytest
import torch
from acvl_utils.cropping_and_padding.padding import pad_nd_image
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nnunetv2.inference.sliding_window_prediction import (
    compute_gaussian,
    compute_steps_for_sliding_window,
)
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero
from nnunetv2.preprocessing.normalization.default_normalization_schemes import (
    ZScoreNormalization,
)
from numpy.typing import NDArray

from droneseg.plan import Channel
from droneseg.preprocess import nonzero_box, preprocess
from droneseg.scene import draw_scene
from droneseg.tiling import GAUSSIAN_PEAK, Tiling, gaussian_weights, window_starts

pytestmark = pytest.mark.parity

sizes = st.integers(1, 3000)
patches = st.integers(8, 700)
steps = st.sampled_from([0.25, 0.3, 0.5, 0.75, 1.0])


@given(size=sizes, patch=patches, step=steps)
def test_window_starts(size: int, patch: int, step: float) -> None:
    size = max(size, patch)
    (expected,) = compute_steps_for_sliding_window((size,), (patch,), step)
    assert window_starts(size, patch, step) == expected


@given(height=patches, width=patches)
@settings(max_examples=60, deadline=None)
def test_gaussian_weights(height: int, width: int) -> None:
    expected = compute_gaussian(
        (height, width),
        sigma_scale=1 / 8,
        value_scaling_factor=GAUSSIAN_PEAK,
        device=torch.device("cpu"),
    )
    weights = gaussian_weights((height, width), 1 / 8)
    np.testing.assert_array_equal(weights, expected.float().numpy())


@given(shape=st.tuples(sizes, sizes), patch=st.tuples(patches, patches))
@settings(deadline=None)
def test_padding(shape: tuple[int, int], patch: tuple[int, int]) -> None:
    image = np.broadcast_to(np.float32(1), (1, *shape))
    small = image[:, : min(shape[0], 900), : min(shape[1], 900)]
    padded, slicer = pad_nd_image(small, patch, return_slicer=True)
    tiling = Tiling.of(small.shape[1:], patch, 0.5)
    assert tiling.canvas == padded.shape[1:]
    assert tiling.padding == (slicer[1].start, slicer[2].start)


@given(
    planes=hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=12).map(lambda shape: (3, *shape[1:])),
        elements=st.sampled_from([0, 0, 0, 1]),
    )
)
def test_nonzero_box(planes: NDArray[np.uint8]) -> None:
    _, _, bbox = crop_to_nonzero(planes[:, None].astype(np.float32))
    box = nonzero_box(planes)
    assert [[box.top, box.bottom], [box.left, box.right]] == [list(span) for span in bbox[1:]]


@given(
    shape=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    border=st.integers(0, 30),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_z_score_to_the_last_bit(shape: tuple[int, int], border: int, seed: int) -> None:
    photo = draw_scene(*shape, seed=seed)
    photo[:border] = 0
    photo[:, : border // 2] = 0
    _assert_same_z_score(photo)


def test_z_score_of_a_large_photo_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    _assert_same_z_score(rng.integers(0, 256, (2500, 3001, 3), dtype=np.uint8))


def _assert_same_z_score(photo: NDArray[np.uint8]) -> None:
    data = np.ascontiguousarray(photo.transpose(2, 0, 1)[:, None], np.float32)
    cropped, seg, _ = crop_to_nonzero(data)
    ours = preprocess(photo, [Channel(name, "ZScoreNormalization") for name in "RGB"])
    out = np.empty((3, *ours.box.shape), np.float32)
    ours.window(slice(None), slice(None), out)
    for channel, plane in zip(cropped, out, strict=True):
        scheme = ZScoreNormalization(use_mask_for_norm=False, intensityproperties={})
        expected = scheme.run(channel, seg[0])
        np.testing.assert_array_equal(plane, expected[0])
