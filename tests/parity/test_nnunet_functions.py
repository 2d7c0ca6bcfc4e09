"""Window positions, Gaussian, padding, crop and z-score directly against nnU-Net's functions."""

from dataclasses import asdict
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch
from acvl_utils.cropping_and_padding.padding import pad_nd_image
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nnunetv2.inference.sliding_window_prediction import (
    compute_gaussian,
    compute_steps_for_sliding_window,
)
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.label_handling.label_handling import LabelManager as NnunetLabelManager
from numpy.typing import NDArray

from droneseg.errors import InvalidArray
from droneseg.label_manager import LARGEST_ABSENT_LOGIT, LabelManager
from droneseg.normalization import ImageArray
from droneseg.plan import Channel, Intensities, Region, Scheme
from droneseg.preprocess import nonzero_box, preprocess
from droneseg.scene import draw_scene
from droneseg.tiling import GAUSSIAN_PEAK, Tiling, gaussian_weights, window_starts

pytestmark = pytest.mark.parity

SCHEMES = get_args(Scheme)

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


def _assert_same_z_score(photo: ImageArray) -> None:
    _assert_same_normalization(photo, [Channel(name, "ZScoreNormalization") for name in "RGB"])


def _assert_same_normalization(photo: ImageArray, channels: list[Channel]) -> None:
    """Every channel against nnU-Net's own DefaultPreprocessor._normalize, to the last bit."""
    # nnU-Net normalises in place.
    data = np.array(photo.transpose(2, 0, 1)[:, None], np.float32, order="C")
    cropped, seg, _ = crop_to_nonzero(data)
    configuration = SimpleNamespace(
        normalization_schemes=[channel.normalization for channel in channels],
        use_mask_for_norm=[channel.use_mask_for_norm for channel in channels],
    )
    properties = {str(i): asdict(INTENSITIES) for i in range(len(channels))}
    expected = DefaultPreprocessor(verbose=False)._normalize(
        cropped, seg, configuration, properties
    )
    ours = preprocess(photo, channels)
    out = np.empty((len(channels), *ours.box.shape), np.float32)
    ours.window(slice(None), slice(None), out)
    np.testing.assert_array_equal(out, expected[:, 0])


INTENSITIES = Intensities(mean=101.3, std=48.7, percentile_00_5=11.0, percentile_99_5=222.5)


@given(
    shape=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    schemes=st.lists(st.tuples(st.sampled_from(SCHEMES), st.booleans()), min_size=1, max_size=5),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    border=st.integers(0, 20),
    seed=st.integers(0, 100),
)
@settings(max_examples=150, deadline=None)
def test_every_normalization_to_the_last_bit(
    shape: tuple[int, int],
    schemes: list[tuple[Scheme, bool]],
    dtype: str,
    border: int,
    seed: int,
) -> None:
    channels = [
        Channel(str(index), scheme, masked, INTENSITIES)
        for index, (scheme, masked) in enumerate(schemes)
    ]
    photo: ImageArray = draw_scene(*shape, seed=seed, channels=len(channels)).astype(dtype)
    if dtype == "float32":
        photo = photo * np.float32(0.937)
    elif dtype == "uint16" and all(scheme != "RGBTo01Normalization" for scheme, _ in schemes):
        photo *= 200
    photo[:border] = 0
    photo[border // 2 :, : border // 2] = 0
    assume(photo.any())
    _assert_same_normalization(photo, channels)


@given(
    logits=hnp.arrays(
        np.float32,
        st.tuples(st.integers(2, 5), st.integers(1, 6), st.integers(1, 6)),
        elements=st.one_of(
            st.floats(-(2**-20), 2**-20, width=32, allow_subnormal=False),
            st.floats(-64, 64, width=32, allow_subnormal=False),
        ),
    ),
    kind=st.sampled_from(["classes", "regions"]),
)
def test_labels_and_probabilities(logits: NDArray[np.float32], kind: str) -> None:
    heads, with_regions = len(logits), kind == "regions"
    labels: dict[str, object] = {"background": 0}
    if with_regions:
        labels |= {f"r{i}": [*range(i, heads + 1)] for i in range(1, heads)}
        labels[f"r{heads}"] = heads
    else:
        labels |= {f"c{i}": i for i in range(1, heads)}
    order = [*range(heads, 0, -1)]
    theirs = NnunetLabelManager(labels, order if with_regions else None)
    regions = tuple(Region(f"r{i}", (), order[i]) for i in range(heads)) if with_regions else ()
    ours = LabelManager(regions)
    tensor = torch.from_numpy(logits)
    np.testing.assert_array_equal(
        ours.convert_logits_to_segmentation(logits),
        theirs.convert_logits_to_segmentation(tensor).numpy(),
    )
    expected = theirs.apply_inference_nonlin(tensor)
    probabilities = ours.apply_inference_nonlin(logits)
    np.testing.assert_allclose(probabilities, expected.numpy(), rtol=0, atol=2e-7)
    np.testing.assert_array_equal(
        ours.convert_probabilities_to_segmentation(expected.numpy()),
        theirs.convert_probabilities_to_segmentation(expected).numpy(),
    )


@given(
    logits=hnp.arrays(
        np.float32,
        st.tuples(st.just(2), st.integers(1, 4), st.integers(1, 400)),
        elements=st.floats(-64, 64, width=32, allow_subnormal=False),
    )
)
def test_ensembles_of_regions_whose_members_disagree(logits: NDArray[np.float32]) -> None:
    """The mean of a probability near 1 and one near 0 is decided by the small one.

    But for what two last bits decide, in which PyTorch's sigmoid differs from processor to
    processor.
    """
    first, second = logits
    opposed = -first * np.float32(0.66)
    regions = tuple(Region(str(i), (), i + 1) for i in range(len(first)))
    ours = LabelManager(regions)
    labels = {"background": 0, **{str(i): [i + 1, 200] for i in range(len(first))}}
    theirs = NnunetLabelManager(labels, [*range(1, len(first) + 1)])
    for other in (second, opposed):
        members = [first[:, None], other[:, None]]
        one, two = (ours.apply_inference_nonlin(member) for member in members)
        mean = (one + two) / np.float32(2)
        expected = sum(theirs.apply_inference_nonlin(torch.from_numpy(m)) for m in members) / 2
        two_bits = 2 * np.spacing(np.float32(0.5))
        undecided = np.any(np.abs(expected.numpy() - 0.5) <= two_bits, axis=0)
        np.testing.assert_array_equal(
            ours.convert_probabilities_to_segmentation(mean)[~undecided],
            theirs.convert_probabilities_to_segmentation(expected).numpy()[~undecided],
        )


def test_the_threshold_of_regions_is_where_pytorch_rounds_to_one_half() -> None:
    above = np.nextafter(LARGEST_ABSENT_LOGIT, np.float32(1))
    assert torch.sigmoid(torch.tensor(LARGEST_ABSENT_LOGIT)).item() == 0.5
    assert torch.sigmoid(torch.tensor(above)).item() > 0.5


def test_rgb_beyond_8_bits_is_refused_as_nnunet_refuses_it() -> None:
    photo = np.full((4, 4, 1), 300, np.uint16)
    with pytest.raises(InvalidArray, match=r"8 bits .* from 300 to 300"):
        preprocess(photo, [Channel("red", "RGBTo01Normalization")])
