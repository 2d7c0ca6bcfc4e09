"""Weights in the order in which kernels.h reads them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Channels in memory are padded to a multiple of it: two vectors of AVX2, one of AVX-512.
CHANNELS = 16
# Where F(4 x 4, 3 x 3) interpolates, beside infinity; as POINT_A and POINT_B in winograd.c. Logits
# are half as far off as with the usual 1 and 2.
POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)


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


def grouped(kernels: Floats, width: int) -> Floats:
    """[groups, kernel, in, width] of [kernel, in, out]: what is read together lies together."""
    count, depth, heads = kernels.shape
    groups = kernels.reshape(count, depth, heads // width, width).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(groups)
