"""Descriptors: a few numbers that say what a photo is like, but not what is to be seen on it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Of every photo about so many rows and columns are looked at.
SAMPLED_PX = 128
# Sharpness shows only in neighbouring pixels: so many patches along each side, of this size.
PATCHES, PATCH_PX = 3, 48
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
DARK, BRIGHT = 0.1, 0.9
UINT8_MAX = 255

Pixels = NDArray[np.float32]


def describe_photo(image: NDArray[np.uint8], channel_names: Sequence[str]) -> dict[str, float]:
    """Descriptors by name, from 0 to 1 but for the sharpness.

    `brightness` and `contrast` are mean and standard deviation of the luma, `shadows` and
    `highlights` the shares of dark and bright pixels, `saturation` the mean of HSV's,
    `dark_channel` the mean of each pixel's darkest colour, which haze raises, `mean_<channel>` that
    of a channel, and `sharpness` the logarithm to the base 10 of the variance of the Laplacian of
    the luma (0 to 255) at full resolution.

    Args:
        image: uint8 [H, W, C]; of more than three channels the first three are taken for RGB.
        channel_names: of the C channels.
    """
    step = max(1, min(image.shape[:2]) // SAMPLED_PX)
    planes = _planes(image[::step, ::step]) / np.float32(UINT8_MAX)
    luma, colors = _luma(planes), planes[:3]
    brightest, darkest = colors.max(axis=0), colors.min(axis=0)
    means = planes.mean(axis=(1, 2))
    values = {
        "brightness": luma.mean(),
        "contrast": luma.std(),
        "saturation": ((brightest - darkest) / np.maximum(brightest, 1 / UINT8_MAX)).mean(),
        "sharpness": _sharpness(image),
        "dark_channel": darkest.mean(),
        "shadows": (luma < DARK).mean(),
        "highlights": (luma > BRIGHT).mean(),
        **{f"mean_{name}": mean for name, mean in zip(channel_names, means, strict=True)},
    }
    return {name: round(float(value), 6) for name, value in values.items()}


def _planes(pixels: NDArray[np.uint8]) -> Pixels:
    """Channels first, not last: reductions over neighbours in memory are slow for a few of them."""
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0), np.float32)


def _luma(planes: Pixels) -> Pixels:
    """Of RGB, or the first channel, without the axis of the channels."""
    luma: Pixels = np.tensordot(LUMA, planes[:3], 1) if len(planes) >= 3 else planes[0]
    return luma


def _sharpness(image: NDArray[np.uint8]) -> float:
    # All at once: a patch alone is less work than the calls that it takes.
    variances = _laplacian(_luma(_planes(_patches(image)))).var(axis=(1, 2))
    return float(np.log10(np.mean(variances) + 1))


def _patches(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[N, h, w, C]."""
    rows, columns = (_starts(length) for length in image.shape[:2])
    return np.stack(
        [image[top : top + PATCH_PX, left : left + PATCH_PX] for top in rows for left in columns]
    )


def _starts(length: int) -> list[int]:
    """Where patches begin: evenly, or one that takes what there is."""
    room = length - PATCH_PX
    if room < PATCH_PX:
        return [0]
    return [room * index // (PATCHES - 1) for index in range(PATCHES)]


def _laplacian(luma: Pixels) -> Pixels:
    """Of the inner pixels of patches [N, h, w], or 0 where there are none."""
    if min(luma.shape[1:]) < 3:
        return np.zeros((1, 1, 1), np.float32)
    inner = luma[:, 1:-1, 1:-1]
    sides = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    laplacian: Pixels = sides - 4 * inner
    return laplacian
