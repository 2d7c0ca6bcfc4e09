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
    """[C, H, W] of [H, W, C]: reductions over neighbours in memory are slow for a few channels."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)


def _luma(planes: Pixels) -> Pixels:
    """Of RGB, or the first channel; [H, W]."""
    luma: Pixels = np.tensordot(LUMA, planes[:3], 1) if len(planes) >= 3 else planes[0]
    return luma


def _sharpness(image: NDArray[np.uint8]) -> float:
    variances = [_laplacian(image[rows, columns]).var() for rows, columns in _patches(image)]
    return float(np.log10(np.mean(variances) + 1))


def _patches(image: NDArray[np.uint8]) -> list[tuple[slice, slice]]:
    rows, columns = (_starts(length) for length in image.shape[:2])
    return [
        (slice(top, top + PATCH_PX), slice(left, left + PATCH_PX))
        for top in rows
        for left in columns
    ]


def _starts(length: int) -> list[int]:
    """Where patches begin: evenly, or one that takes what there is."""
    room = length - PATCH_PX
    if room < PATCH_PX:
        return [0]
    return [room * index // (PATCHES - 1) for index in range(PATCHES)]


def _laplacian(patch: NDArray[np.uint8]) -> Pixels:
    """Of the luma from 0 to 255; of its inner pixels, or 0 where there are none."""
    luma = _luma(_planes(patch))
    if min(luma.shape) < 3:
        return np.zeros((1, 1), np.float32)
    neighbours = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return neighbours - 4 * luma[1:-1, 1:-1]
