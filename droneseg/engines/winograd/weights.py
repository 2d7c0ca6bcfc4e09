"""Weights in the order in which winograd.c reads them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Channels in memory are padded to a multiple of it: two vectors of AVX2, one of AVX-512.
CHANNELS = 16
# Where F(4 x 4, 3 x 3) interpolates, beside infinity; as POINT_A and POINT_B in winograd.c. Logits
# are half as far off as with the usual 1 and 2.
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)

# Nothing is divided by less.
TINY = 1e-30
# Of an integer, and of a sum of products of two.
INTEGER_MAX, SUM_MAX = 2**15 - 1, 2**31 - 1


def padded(channels: int) -> int:
    """Channels in memory."""
    return -(-channels // CHANNELS) * CHANNELS


def padded_vector(values: NDArray[np.floating], channels: int) -> Floats:
    """A value for each channel in memory, zeros at the end."""
    return np.pad(values.astype(np.float32), (0, padded(channels) - len(values)))


def by_tap(weights: Floats, sources: Sequence[int]) -> Floats:
    """A convolution's weights as [kernel height * width, in, out].

    Args:
        weights: [out, in, kernel height, kernel width].
        sources: channels of the images that are concatenated, each of which is padded in memory.
    """
    heads, _, height, width = weights.shape
    kernels = weights.reshape(heads, -1, height * width).transpose(2, 1, 0)
    spread = np.zeros((height * width, sum(map(padded, sources)), padded(heads)), np.float32)
    read = written = 0
    for channels in sources:
        spread[:, written : written + channels, :heads] = kernels[:, read : read + channels]
        read, written = read + channels, written + padded(channels)
    return spread


def transformed(kernels: Floats) -> Floats:
    """[36, in, out] of [9, in, out]: each kernel, a polynomial of two variables, at 6 x 6 points.

    As in A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016.
    """
    matrix = np.zeros((6, 3))
    for row, point in enumerate(POINTS):
        others = np.prod([point - other for other in POINTS if other != point])
        matrix[row] = np.power(point, range(3)) / others
    matrix[5, 2] = 1
    both = np.kron(matrix, matrix) @ kernels.reshape(9, -1)
    return both.reshape(36, *kernels.shape[1:]).astype(np.float32)


class Integers(NamedTuple):
    """Weights and input, as large as they can be if no sum of products is to overflow.

    Attributes:
        pairs: [kernel, in / 2, out], each of them two int16 weights.
        units: [kernel, 1, out], what 1 of the weights stands for.
        largest: of the input.
    """

    pairs: NDArray[np.int32]
    units: Floats
    largest: int

    @classmethod
    def of(cls, kernels: Floats) -> "Integers":
        """The weights [kernel, in, out]; the sums are over `in`."""
        count, depth, heads = kernels.shape
        magnitudes = np.abs(kernels).astype(np.float64)
        sums, most = (f(magnitudes, axis=1, keepdims=True) for f in (np.sum, np.max))
        # The input is given twice as many steps as the weights: its unit is of more values.
        summed = np.max(sums / np.maximum(most, TINY), initial=1)
        largest = min(int(np.sqrt(2 * SUM_MAX / summed)), INTEGER_MAX)
        # Each weight may be rounded up by a half.
        units = np.maximum(sums / (SUM_MAX / largest - depth / 2), most / INTEGER_MAX)
        whole = np.rint(kernels / np.maximum(units, TINY)).astype(np.int16)
        pairs = np.ascontiguousarray(whole.reshape(count, depth // 2, 2, heads).swapaxes(2, 3))
        return cls(pairs.view(np.int32)[..., 0], units.astype(np.float32), largest)


def grouped(kernels: NDArray[Any], width: int) -> NDArray[Any]:
    """[groups, kernel, in, width] of [kernel, in, out]: what is read together lies together."""
    count, depth, heads = kernels.shape
    groups = kernels.reshape(count, depth, heads // width, width).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(groups)
