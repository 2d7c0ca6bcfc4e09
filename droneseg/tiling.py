"""Window positions, Gaussian weights and the Stitcher: nnU-Net's sliding window."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from droneseg.arrays import cache_blocks
from droneseg.preprocess import NormalizedImage
from droneseg.scratch import Scratch

Float32Array = NDArray[np.float32]
RowSink = Callable[[int, Float32Array], None]

# nnUNetPredictor calls compute_gaussian with this value_scaling_factor.
GAUSSIAN_PEAK = 10.0


def window_starts(size_px: int, patch_px: int, tile_step_size: float) -> list[int]:
    """First pixels of the windows along one axis: nnunetv2's compute_steps_for_sliding_window."""
    last = size_px - patch_px
    count = int(np.ceil(last / (patch_px * tile_step_size))) + 1
    step = last / (count - 1) if count > 1 else 0.0
    return [int(np.round(step * i)) for i in range(count)]


@lru_cache(maxsize=8)
def gaussian_weights(patch_size: tuple[int, int], sigma_scale: float) -> Float32Array:
    """The weight of each pixel of a window, float32 [H, W]: nnunetv2's compute_gaussian.

    nnU-Net filters a unit impulse with scipy's gaussian_filter, which is the outer product of two
    kernels, then rounds to float16; those rounded values are what it multiplies with.
    """
    rows, columns = (_gaussian_kernel(size_px, size_px * sigma_scale) for size_px in patch_size)
    weights = rows[:, None] * columns[None, :]
    weights /= weights.max() / GAUSSIAN_PEAK
    # PyTorch rounds float64 to float16 by way of float32, which is not the same.
    rounded = weights.astype(np.float32).astype(np.float16)
    rounded[rounded == 0] = rounded[rounded != 0].min()
    result = rounded.astype(np.float32)
    result.setflags(write=False)
    return result


def _gaussian_kernel(size_px: int, sigma: float, truncate: float = 4.0) -> NDArray[np.float64]:
    """The response of scipy.ndimage.gaussian_filter1d to an impulse at size_px // 2."""
    radius = int(truncate * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 / (sigma * sigma) * offsets**2)
    kernel /= kernel.sum()
    response = np.zeros(size_px)
    center = size_px // 2
    first, last = max(0, center - radius), min(size_px, center + radius + 1)
    response[first:last] = kernel[first - center + radius : last - center + radius]
    return response


@dataclass(frozen=True, slots=True)
class Tiling:
    """Where the windows of one image lie, on a canvas padded to at least one patch.

    Attributes:
        patch_size: height and width of a window in px.
        canvas: height and width of the padded image in px.
        padding: rows above and columns left of the image in the canvas, as pad_nd_image centres it.
        starts: first rows and first columns of the windows.
    """

    patch_size: tuple[int, int]
    canvas: tuple[int, int]
    padding: tuple[int, int]
    starts: tuple[tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(
        cls, shape: tuple[int, int], patch_size: tuple[int, int], tile_step_size: float
    ) -> "Tiling":
        """Lay windows over an image of this height and width."""
        height, width = (max(*pair) for pair in zip(shape, patch_size, strict=True))
        return cls(
            patch_size,
            (height, width),
            ((height - shape[0]) // 2, (width - shape[1]) // 2),
            (
                tuple(window_starts(height, patch_size[0], tile_step_size)),
                tuple(window_starts(width, patch_size[1], tile_step_size)),
            ),
        )

    def __len__(self) -> int:
        return len(self.starts[0]) * len(self.starts[1])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Top left corners of the windows on the canvas, row by row as nnU-Net visits them."""
        return itertools.product(*self.starts)

    def cut(self, image: NormalizedImage, corner: tuple[int, int], out: Float32Array) -> None:
        """Write one window of the image into `out`, float32 [C, H, W]; the padding is 0."""
        spans = [
            _overlap(start - pad, patch, size)
            for start, pad, patch, size in zip(
                corner, self.padding, self.patch_size, image.box.shape, strict=True
            )
        ]
        (rows, target_rows), (columns, target_columns) = spans
        if (rows.stop - rows.start, columns.stop - columns.start) != self.patch_size:
            out[...] = 0
        image.window(rows, columns, out[:, target_rows, target_columns])


def _overlap(start: int, patch_px: int, size_px: int) -> tuple[slice, slice]:
    """Where a window meets the image: as a slice of the image and as a slice of the window."""
    first, last = max(start, 0), min(start + patch_px, size_px)
    return slice(first, last), slice(first - start, last - start)


@dataclass(frozen=True, slots=True)
class _Strip:
    """Sums of logits, float32 [K, patch height, width], and of weights, of some columns."""

    left: int
    sums: Float32Array
    totals: Float32Array

    @classmethod
    def of(cls, left: int, planes: Float32Array) -> "_Strip":
        """Begin with nothing, in [K + 1, patch height, width]."""
        planes[...] = 0
        return cls(left, planes[:-1], planes[-1])

    @property
    def right(self) -> int:
        return self.left + int(self.totals.shape[1])

    def overlap(self, left: int, width: int) -> tuple[slice, slice]:
        """The columns that it shares with a window: its own, and the window's."""
        return _overlap(left - self.left, width, self.right - self.left)


class Stitcher:
    """Adds up weighted windows and hands on rows of averaged logits as soon as they are complete.

    Windows come row by row, so only one patch height of rows is ever held, as a ring:
    heads x patch height x canvas width floats. nnU-Net holds the whole canvas, in float16.

    On a CPU the canvas is cut into strips wherever a window begins or ends: a window's part of a
    strip lies together in memory, where rows of the whole canvas would be a page apart.
    """

    def __init__(  # noqa: PLR0913
        self,
        tiling: Tiling,
        weights: Float32Array,
        heads: int,
        sink: RowSink,
        *,
        images: int = 1,
        xp: ModuleType = np,
        scratch: Scratch | None = None,
    ):
        """Start an empty canvas.

        Args:
            tiling: where the windows lie.
            weights: float32 [H, W] of one window, of `xp`.
            heads: K.
            sink: called with the first canvas row and the logits, float32 [K, rows, canvas width].
                The array is used again afterwards.
            images: how many logits were added up for each; a power of two.
            xp: the array library of the logits.
            scratch: where the sums' memory comes from; its own if None.
        """
        self._height, self._width = tiling.patch_size
        self._weights = weights
        # Instead of dividing the logits, which would be as exact.
        self._weights_in_total = weights * np.float32(images)
        self._scratch = scratch or Scratch(xp)
        size = heads * self._height * tiling.canvas[1]
        self._memory = self._scratch.take(2 * size + self._height * tiling.canvas[1])
        sums = self._memory[size:]
        self._rows = self._memory[:size].reshape(heads, self._height, -1)
        self._strips = [
            _Strip.of(left, part.reshape(heads + 1, self._height, -1))
            for left, part in _cut(sums, _edges(tiling, xp), (heads + 1) * self._height)
        ]
        self._blocks = cache_blocks(xp, heads)
        self._sink = sink
        self._top = 0
        self._missing = len(tiling)

    @property
    def finished(self) -> bool:
        """Whether every window has been added and every row handed on."""
        return self._missing == 0

    def add(self, corner: tuple[int, int], logits: Float32Array) -> None:
        """Add one window of logits, float32 [K, H, W], which is weighted in place."""
        top, left = corner
        if top > self._top:
            self._release(top - self._top)
        parts = self._parts(top, self._height)
        strips = [
            (strip, *strip.overlap(left, self._width))
            for strip in self._strips
            if strip.left < left + self._width and left < strip.right
        ]
        for block in self._blocks:
            logits[block] *= self._weights
            for strip, own, columns in strips:
                for ring, rows in parts:
                    strip.sums[block, ring, own] += logits[block, rows, columns]
        for strip, own, columns in strips:
            for ring, rows in parts:
                strip.totals[ring, own] += self._weights_in_total[rows, columns]
        self._missing -= 1
        if self.finished:
            self._release(self._height)
            self._scratch.give(self._memory)

    def _release(self, count: int) -> None:
        """Hand on the upper rows, which no later window touches, and begin them anew."""
        for ring, band in self._parts(self._top, count):
            rows = self._rows[:, : band.stop - band.start]
            for strip in self._strips:
                whole = rows[..., strip.left : strip.right]
                np.divide(strip.sums[:, ring], strip.totals[ring], out=whole)
                strip.sums[:, ring] = 0
                strip.totals[ring] = 0
            self._sink(self._top + band.start, rows)
        self._top += count

    def _parts(self, top: int, count: int) -> list[tuple[slice, slice]]:
        """Where canvas rows lie in the ring, and which of them: in two parts if it wraps."""
        first = top % self._height
        upper = min(count, self._height - first)
        parts = [(slice(first, first + upper), slice(0, upper))]
        if upper < count:
            parts.append((slice(0, count - upper), slice(upper, count)))
        return parts


def _cut(
    memory: Float32Array, edges: list[int], size_px: int
) -> Iterator[tuple[int, Float32Array]]:
    """The part of the memory for each strip, of so many values a column, by its left edge."""
    for left, right in itertools.pairwise(edges):
        yield left, memory[left * size_px : right * size_px]


def _edges(tiling: Tiling, xp: ModuleType) -> list[int]:
    """Where strips begin and end: with the windows, or all together on a GPU."""
    if xp is not np:
        return [0, tiling.canvas[1]]
    starts, width = tiling.starts[1], tiling.patch_size[1]
    return sorted({start + edge for start in starts for edge in (0, width)})
