"""Scratch: memory for the sums of one photo after the other."""

from collections import deque
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

# The photo that is stitched, and the next.
KEPT = 2
# Enough for photos 6,700 px wide of a model with patches of 384 px and six classes.
MAX_KEPT_BYTES = 2**27


class Scratch:
    """Float32 arrays that are used again, as the pages of new ones take longer than the sums.

    They are taken in one thread and given back in another.
    """

    def __init__(self, xp: ModuleType = np):
        """Start with none, of this array library."""
        self._xp = xp
        self._free: deque[NDArray[np.float32]] = deque(maxlen=KEPT)

    def take(self, size: int) -> NDArray[np.float32]:
        """An array of at least so many values, of anything."""
        kept = self._kept()
        if kept is not None and len(kept) >= size:
            return kept
        # Not both at once.
        del kept
        array: NDArray[np.float32] = self._xp.empty(size, np.float32)
        return array

    def give(self, array: NDArray[np.float32]) -> None:
        """Take back an array that nobody uses any more; a huge one is not kept."""
        if array.nbytes <= MAX_KEPT_BYTES:
            self._free.append(array)

    def _kept(self) -> NDArray[np.float32] | None:
        try:
            return self._free.pop()
        except IndexError:
            return None
