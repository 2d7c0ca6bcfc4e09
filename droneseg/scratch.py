"""Scratch: memory for the sums of one photo after the other."""

from collections import deque
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

# The photo that is stitched, and the next.
KEPT = 2


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
        try:
            array = self._free.pop()
        except IndexError:
            array = self._xp.empty(size, np.float32)
        if len(array) < size:
            array = self._xp.empty(size, np.float32)
        return array

    def give(self, array: NDArray[np.float32]) -> None:
        """Take back an array that nobody uses any more."""
        self._free.append(array)
