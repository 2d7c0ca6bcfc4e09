"""fastest_batch_size: how many tiles an engine should get at once, as measured on this machine."""

import time

import numpy as np

from droneseg.arrays import to_numpy
from droneseg.engines import Engine

# A larger batch must gain so much: it makes photos wait for others.
GAIN = 0.05
REPEATS = 2


def fastest_batch_size(engine: Engine, tile: tuple[int, int, int], heads: int) -> int:
    """The batch whose tiles take the shortest, in doubles of one while that gains anything.

    Args:
        engine: whose `batch_pixels` bound the batch, and so its memory; if that is one tile,
            nothing is measured.
        tile: channels, height and width.
        heads: K.
    """
    _, height, width = tile
    most = max(1, engine.batch_pixels // (height * width))
    fastest, fastest_s = 1, np.inf
    size = 1
    while most > 1 and size <= most:
        seconds = _seconds_a_tile(engine, (size, *tile), (size, heads, height, width))
        if seconds > fastest_s * (1 - GAIN):
            break
        fastest, fastest_s = size, seconds
        size *= 2
    return fastest


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
