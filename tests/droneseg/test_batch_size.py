"""The batch size is measured, within what an engine takes."""

import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from droneseg.engines.batch_size import fastest_batch_size
from droneseg.mode import Precision

TILE = (3, 8, 16)


@dataclass
class SlowEngine:
    """Takes a time for each call and a time for each so many tiles."""

    most: int
    at_once: int = 1
    call_s: float = 0.0
    asked: list[int] = field(default_factory=list)
    name: str = "slow"
    precision: Precision = "fp32"
    xp = np

    @property
    def batch_pixels(self) -> int:
        return self.most * 8 * 16

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        assert tiles.shape[1:] == TILE
        assert out.shape == (len(tiles), 5, 8, 16)
        self.asked.append(len(tiles))
        time.sleep(self.call_s + 0.02 * -(-len(tiles) // self.at_once))


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        # Four streams: more tiles than that gain nothing.
        (SlowEngine(most=16, at_once=4), 4),
        # What a call takes is shared by its tiles, as far as memory allows.
        (SlowEngine(most=8, call_s=0.1), 8),
        (SlowEngine(most=7, call_s=0.1), 4),
        (SlowEngine(most=16), 1),
    ],
    ids=["streams", "a call costs", "no power of two", "nothing gained"],
)
def test_a_batch_is_as_large_as_it_gains(engine: SlowEngine, expected: int) -> None:
    assert fastest_batch_size(engine, TILE, heads=5) == expected
    assert max(engine.asked) <= engine.most


def test_nothing_is_measured_where_there_is_no_choice() -> None:
    engine = SlowEngine(most=1)
    assert fastest_batch_size(engine, TILE, heads=5) == 1
    assert not engine.asked
