"""Arrays of NumPy or of a GPU's library: the few things that NumPy's functions do not cover.

The pipeline allocates with `engine.xp`. Everything else is said with NumPy's names, which CuPy's
arrays answer themselves (NEP 13 and 18), so that it is written once.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_numpy(array: Any) -> NDArray[Any]:
    """An array on this side: NumPy's as they are, others copied from their device."""
    return array if isinstance(array, np.ndarray) else array.get()


def cache_blocks(xp: ModuleType, planes: int) -> list[slice]:
    """Slices of planes to go through several steps with.

    On a CPU one plane, which stays in the cache from one step to the next: that is twice as fast.
    On a GPU all of them, as each step is a launch.
    """
    return [slice(k, k + 1) for k in range(planes)] if xp is np else [slice(None)]
