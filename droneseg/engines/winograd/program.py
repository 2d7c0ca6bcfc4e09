"""Program: a graph's operations as the steps of winograd.c, with memory and ordered weights."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from droneseg.engines.winograd.graph import Graph
from droneseg.engines.winograd.library import Computation, Step
from droneseg.engines.winograd.operation import Image, Kind, Operation
from droneseg.engines.winograd.weights import (
    Floats,
    Integers,
    by_tap,
    grouped,
    padded,
    padded_vector,
    transformed,
)

# Rows of a matrix product that fit the registers, by lanes and vectors; as in vectors.h.
ROWS = {(16, 2): 12, (16, 1): 24, (8, 2): 6, (8, 1): 12}
# Of a block's transformed tiles: about half of a core's second cache, which has 1 MB and more.
BLOCK_BYTES = 450_000
MAX_TILES = 48
# Of a row, which a block of another convolution has.
PIXELS = 96
# Parts of a step for each thread, so that none waits long for another.
PARTS = 4
CACHE_LINE = 64


class Program:
    """What winograd.c is to do for a tile.

    Attributes:
        steps: an array of `Step`, which point into the program's memory.
        scratch_bytes: what each thread needs beside.
    """

    def __init__(self, graph: Graph, lanes: int, threads: int, *, integers: bool = False):
        """Order the weights and find room for the images.

        Args:
            graph: what to compute.
            lanes: floats of a vector, 8 or 16.
            threads: that will do it. What they give does not depend on their number.
            integers: whether to multiply integers; floats still where the tile is read, which has
                any number of channels, and where the logits are made.
        """
        self._tile, self._lanes, self._threads = graph.tile, lanes, threads
        self._integers = integers
        self._room = _room(graph)
        self._kept: list[NDArray[np.generic]] = []
        self._readers: list[Step] = []
        self._heads: list[Step] = []
        self.scratch_bytes = CACHE_LINE
        self.steps = (Step * len(graph.operations))()
        for operation, step in zip(graph.operations, self.steps, strict=True):
            self._fill(operation, step)

    def bind(self, tile: Floats, logits: Floats, axes: Sequence[int], *, add: bool) -> None:
        """Set where the tile [C, H, W] is, and where its logits [K, H, W] go.

        Args:
            tile: the input.
            logits: the output.
            axes: over which the tile is mirrored, and its logits back: 0 for rows, 1 for columns.
            add: whether to add to what is in `logits`.
        """
        for step in self._readers:
            step.source[0].data = tile.ctypes.data
        for index, step in enumerate(self._heads):
            step.out = logits.ctypes.data
            step.adds = add or index > 0
        for step in (*self._readers, *self._heads):
            step.mirror_rows, step.mirror_columns = 0 in axes, 1 in axes

    def _fill(self, operation: Operation, step: Step) -> None:
        source, out = operation.sources[0].image, operation.out
        step.in_height, step.in_width = source.height, source.width
        step.out_height, step.out_width = out.height, out.width
        step.kernel_height, step.kernel_width = operation.kernel
        step.stride_height, step.stride_width = operation.stride
        step.pad_height, step.pad_width = operation.pad
        step.channels, step.heads = padded(out.channels), out.channels
        step.vectors = 2 if step.channels % (2 * self._lanes) == 0 else 1
        self._fill_sources(operation, step)
        step.kind = self._computation(operation, step)
        self._cut(step)
        if operation.kind is Kind.HEAD:
            self._heads.append(step)
        else:
            step.out = self._room[out].ctypes.data
        self._fill_weights(operation, step)
        self._fill_norm(operation, step)

    def _fill_sources(self, operation: Operation, step: Step) -> None:
        step.sources = len(operation.sources)
        for lazy, source in zip(operation.sources, step.source, strict=False):
            source.channels = padded(lazy.image.channels)
            source.scale, source.shift = self._keep(lazy.scale), self._keep(lazy.shift)
            source.slope = lazy.slope
            if lazy.image is self._tile:
                step.planar, step.depth = True, lazy.image.channels
                self._readers.append(step)
            else:
                step.depth += source.channels
                source.data = self._room[lazy.image].ctypes.data

    def _computation(self, operation: Operation, step: Step) -> Computation:
        if operation.kind is not Kind.CONVOLUTION:
            return {
                Kind.TRANSPOSED: Computation.TRANSPOSED,
                Kind.HEAD: Computation.HEAD,
                Kind.SUM: Computation.SUM,
                Kind.MEAN: Computation.SUM,
            }[operation.kind]
        plain = (operation.kernel, operation.stride, operation.pad) == ((3, 3), (1, 1), (1, 1))
        # Of few tiles there are fewer than the registers hold, and the weights are four times as
        # many: only where at least half of the multiplications are saved.
        products = 36 * _multiple(_tiles(step), self._rows(step))
        saves = 2 * products <= 9 * step.out_height * step.out_width
        return Computation.WINOGRAD if plain and saves and not step.planar else Computation.DIRECT

    def _cut(self, step: Step) -> None:
        """Into blocks, which do not depend on the threads, and their parts, which do."""
        rows, width = self._rows(step), step.vectors * self._lanes
        floats = 0
        if step.kind == Computation.WINOGRAD:
            fitting = min(BLOCK_BYTES // (36 * 4 * step.depth), MAX_TILES)
            step.block = min(max(rows, fitting // rows * rows), _multiple(_tiles(step), rows))
            step.blocks = -(-_tiles(step) // step.block)
            # For integers a tile of floats, and the unit of each.
            floats = 36 * (step.block * (step.depth + width) + CACHE_LINE)
            floats += step.block + 36 * step.depth
        elif step.kind == Computation.SUM:
            step.blocks = step.out_height
        else:
            # A pixel of the input is that of the output, or becomes several.
            direct = step.kind == Computation.DIRECT
            height = step.out_height if direct else step.in_height
            across = step.out_width if direct else step.in_width
            step.block = _multiple(min(PIXELS, across), rows)
            step.blocks = height * -(-across // step.block)
            columns = (step.block - 1) * step.stride_width + step.kernel_width
            floats = step.kernel_height * columns * step.depth
        wanted = -(-PARTS * self._threads // step.blocks)
        groups = 1 if step.kind == Computation.SUM else step.channels // width
        step.splits = min(groups, wanted)
        self.scratch_bytes = max(self.scratch_bytes, _multiple(floats * 4, CACHE_LINE))

    def _fill_weights(self, operation: Operation, step: Step) -> None:
        if operation.weights is None or operation.bias is None:
            return
        kernels = by_tap(operation.weights, [lazy.image.channels for lazy in operation.sources])
        if step.planar:
            kernels = kernels[:, : step.depth]
        if step.kind == Computation.WINOGRAD:
            kernels = transformed(kernels)
        width = step.vectors * self._lanes
        if self._integers and not step.planar and step.kind != Computation.HEAD:
            if step.kind == Computation.DIRECT:
                # All taps are added up in one sum.
                kernels = kernels.reshape(1, -1, step.channels)
            weights = Integers.of(kernels)
            step.weights = self._keep(grouped(weights.pairs, width))
            step.units = self._keep(grouped(weights.units, width))
            step.largest = weights.largest
        else:
            step.weights = self._keep(grouped(kernels, width))
        step.bias = self._keep(padded_vector(operation.bias, operation.out.channels))

    def _fill_norm(self, operation: Operation, step: Step) -> None:
        norm = operation.norm
        if norm is None:
            return
        step.moments = self._keep(np.empty((step.blocks + 1, 2, step.channels)))
        step.counts = self._keep(np.array(list(_pixels(step)), np.int32))
        step.gamma, step.beta = self._keep(norm.gamma), self._keep(norm.beta)
        step.scale, step.shift = self._keep(norm.scale), self._keep(norm.shift)
        step.epsilon = norm.epsilon

    def _rows(self, step: Step) -> int:
        return ROWS[self._lanes, step.vectors]

    def _keep(self, array: NDArray[np.generic]) -> int:
        """Its address, which is good as long as the program is."""
        self._kept.append(array)
        address: int = array.ctypes.data
        return address


def aligned(size: int) -> Floats:
    """Floats that begin with a line of the cache."""
    memory = np.zeros(size + CACHE_LINE, np.float32)
    first = -memory.ctypes.data % CACHE_LINE // memory.itemsize
    return memory[first : first + size]


def _room(graph: Graph) -> dict[Image, Floats]:
    """Memory of each image, in which another one lies once nobody reads it any more."""
    last_reader = {
        lazy.image: operation for operation in graph.operations for lazy in operation.sources
    }
    free: list[Floats] = []
    room: dict[Image, Floats] = {}
    for operation in graph.operations:
        out = operation.out
        if operation.kind is not Kind.HEAD:
            size = out.height * out.width * padded(out.channels)
            fitting = [index for index, memory in enumerate(free) if len(memory) >= size]
            best = min(fitting, key=lambda index: len(free[index]), default=None)
            room[out] = aligned(size) if best is None else free.pop(best)
        read = {lazy.image for lazy in operation.sources} - {graph.tile}
        free += [room[image] for image in read if last_reader[image] is operation]
    return room


def _multiple(count: int, of: int) -> int:
    """The smallest multiple that is not below the count."""
    return -(-count // of) * of


def _tiles(step: Step) -> int:
    """Of 4 x 4 pixels, the last ones of which may lie beyond the border."""
    return _multiple(step.out_height, 4) * _multiple(step.out_width, 4) // 16


def _pixels(step: Step) -> Iterator[int]:
    """Of the output, in each block."""
    if step.kind == Computation.DIRECT:
        for _ in range(step.out_height):
            for x in range(0, step.out_width, step.block):
                yield min(step.block, step.out_width - x)
        return
    heights, widths = (
        np.minimum(4, length - np.arange(0, length, 4))
        for length in (step.out_height, step.out_width)
    )
    tiles = np.outer(heights, widths).ravel()
    for first in range(0, len(tiles), step.block):
        yield int(tiles[first : first + step.block].sum())
