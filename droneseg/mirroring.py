"""MirroredNetwork: the network averaged over mirrored tiles."""

import itertools

import numpy as np
from numpy.typing import NDArray

from droneseg.engines import Engine
from droneseg.plan import Member


class MirroredNetwork:
    """One member's network, as nnUNetPredictor._internal_maybe_mirror_and_predict runs it.

    Attributes:
        tiles: float32 [batch size, C, H, W], filled by the caller before `run`.
    """

    def __init__(
        self,
        engine: Engine,
        member: Member,
        heads: int,
        batch_size: int,
        mirror_axes: tuple[int, ...],
    ):
        """Allocate the buffers, which every batch uses again."""
        self._engine = engine
        # The spatial axes 0 and 1 of the plan are the axes 2 and 3 of a batch.
        axes = [axis + 2 for axis in mirror_axes]
        self._mirrorings = [
            combination
            for size in range(1, len(axes) + 1)
            for combination in itertools.combinations(axes, size)
        ]
        self.tiles = np.empty((batch_size, len(member.channels), *member.patch_size), np.float32)
        self._mirrored = np.empty_like(self.tiles)
        self._sums = np.empty((batch_size, heads, *member.patch_size), np.float32)
        self._logits = np.empty_like(self._sums)

    @property
    def batch_size(self) -> int:
        """The most tiles that `run` takes."""
        return len(self.tiles)

    def run(self, count: int) -> NDArray[np.float32]:
        """Logits [count, K, H, W] of the first tiles; the array is used again by the next call."""
        tiles, mirrored = self.tiles[:count], self._mirrored[:count]
        sums, logits = self._sums[:count], self._logits[:count]
        self._engine.run(tiles, sums)
        for axes in self._mirrorings:
            np.copyto(mirrored, np.flip(tiles, axes))
            self._engine.run(mirrored, logits)
            sums += np.flip(logits, axes)
        sums /= len(self._mirrorings) + 1
        return sums
