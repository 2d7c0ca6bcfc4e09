"""fastest_batch_size: how many tiles an engine should get at once, as measured on this machine."""

import logging
import time

import numpy as np

from droneseg.arrays import to_numpy
from droneseg.engines import Engine

# A larger batch must gain so much: it makes photos wait for others.
GAIN = 0.05
REPEATS = 2

logger = logging.getLogger(__name__)


def batch_sizes(most: int) -> list[int]:
    """Those to choose from: the doubles of one, and the largest."""
    return sorted({most, *(2**power for power in range(most.bit_length()))})


def fastest_batch_size(engine: Engine, tile: tuple[int, int, int], heads: int) -> int:
    """The smallest batch whose tiles take about the shortest time.

    Measured on a GPU alone: an engine on a CPU knows how many tiles its streams take, and to
    measure them would take seconds.

    Args:
        engine: whose `batch_pixels` bound the batch, and so its memory.
        tile: channels, height and width.
        heads: K.
    """
    _, height, width = tile
    most = max(1, engine.batch_pixels // (height * width))
    if engine.xp is np or most == 1:
        return most
    seconds: dict[int, float] = {}
    for size in batch_sizes(most):
        try:
            seconds[size] = _seconds_a_tile(engine, (size, *tile), (size, heads, height, width))
        except Exception as error:  # CuPy and each runtime have their own, for lack of memory.
            if not seconds:
                raise
            logger.warning("%s cannot run %d tiles at once: %s", engine.name, size, error)
            break
    shortest = min(seconds.values())
    return min(size for size in seconds if seconds[size] <= shortest * (1 + GAIN))


def _seconds_a_tile(
    engine: Engine, tiles_shape: tuple[int, ...], logits_shape: tuple[int, ...]
) -> float:
    tiles = engine.xp.zeros(tiles_shape, np.float32)
    logits = engine.xp.empty(logits_shape, np.float32)
    spent = []
    # The first run warms up.
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        engine.run(tiles, logits)
        # A GPU is done when something can be fetched.
        to_numpy(logits[:1, :1, :1, :1])
        spent.append(time.perf_counter() - start)
    return min(spent[1:]) / len(tiles)
