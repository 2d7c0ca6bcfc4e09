"""MirroredNetwork: the network summed over mirrored tiles."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from droneseg.arrays import cache_blocks
from droneseg.engines import Engine, MirroringEngine
from droneseg.plan import Member


class MirroredNetwork:
    """One member's network, as nnUNetPredictor._internal_maybe_mirror_and_predict runs it.

    Attributes:
        tiles: float32 [batch size, C, H, W] of the engine's `xp`, to be filled before `run`.
        images: how many answers `run` adds up: the tile's own, and those of its mirror images.
    """

    def __init__(
        self,
        engine: Engine,
        member: Member,
        heads: int,
        batch_size: int,
        mirror_axes: tuple[int, ...],
    ):
        """Allocate the buffers, which every batch uses again.

        Args:
            engine: runs the network.
            member: whose network it is.
            heads: K.
            batch_size: the most tiles that `run` takes.
            mirror_axes: 0 for rows, 1 for columns.
        """
        self._engine = engine
        self._axes = mirror_axes
        self.images = 2 ** len(mirror_axes)
        tiles = (batch_size, len(member.channels), *member.patch_size)
        logits = (batch_size, heads, *member.patch_size)
        empty = engine.xp.empty
        self.tiles = empty(tiles, np.float32)
        self._sums = empty(logits, np.float32)
        self._mirroring = engine if isinstance(engine, MirroringEngine) else None
        if self._mirroring is not None:
            return
        # Few and small: what the engine has just written is still in the cache.
        self._mirrored, self._turned = (empty(tiles, np.float32) for _ in range(2))
        self._others, self._logits = (empty(logits, np.float32) for _ in range(2))
        self._blocks = cache_blocks(engine.xp, heads)

    @property
    def batch_size(self) -> int:
        """The most tiles that `run` takes."""
        return len(self.tiles)

    def run(self, count: int) -> NDArray[np.float32]:
        """Sums [count, K, H, W] for the first tiles; the array is used again by the next call.

        nnU-Net adds up the same logits, some in another order, and divides by their number.
        """
        tiles: NDArray[np.float32] = self.tiles[:count]
        sums: NDArray[np.float32] = self._sums[:count]
        if self._mirroring is not None:
            self._mirroring.run(tiles, sums)
            for axes in self._mirror_images():
                self._mirroring.add_mirrored(tiles, sums, axes)
            return sums
        if len(self._axes) < 2:
            self._engine.run(tiles, sums)
            for axis in self._axes:
                self._add_mirrored(tiles, sums, axis)
            return sums
        # Over both axes means backwards, which is much faster than mirrored columns.
        self._run_both_ways(tiles, sums)
        mirrored, others = self._mirrored[:count], self._others[:count]
        mirrored[...] = tiles[..., ::-1, :]
        self._run_both_ways(mirrored, others)
        for block in self._blocks:
            sums[:, block] += others[:, block, ::-1]
        return sums

    def _mirror_images(self) -> Iterator[tuple[int, ...]]:
        """Combinations of axes, in nnU-Net's order."""
        for count in range(1, len(self._axes) + 1):
            yield from combinations(self._axes, count)

    def _add_mirrored(
        self, tiles: NDArray[np.float32], sums: NDArray[np.float32], axis: int
    ) -> None:
        mirrored, logits = self._mirrored[: len(tiles)], self._logits[: len(tiles)]
        mirrored[...] = np.flip(tiles, axis + 2)
        self._engine.run(mirrored, logits)
        sums += np.flip(logits, axis + 2)

    def _run_both_ways(self, tiles: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
        """The logits of the tiles, and of the tiles turned by half a circle, into `sums`."""
        self._engine.run(tiles, sums)
        turned, logits = self._turned[: len(tiles)], self._logits[: len(tiles)]
        _planes(turned)[...] = _planes(tiles)[..., ::-1]
        self._engine.run(turned, logits)
        for block in self._blocks:
            _planes(sums)[:, block] += _planes(logits)[:, block, ::-1]


def _planes(batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """A view [N, C, H * W] of [N, C, H, W]."""
    return batch.reshape(*batch.shape[:2], -1)
