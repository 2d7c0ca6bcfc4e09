"""On a GPU the batch size is measured, within what an engine takes."""

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

from droneseg.engines import batch_size
from droneseg.engines.batch_size import batch_sizes, fastest_batch_size
from droneseg.mode import Precision
from tests.droneseg.device_arrays import DeviceLibrary

TILE = (3, 8, 16)


class Clock:
    """Stands until somebody takes time."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(batch_size, "time", clock)
    return clock


@dataclass
class TimedEngine:
    """Takes a time for each call, and one for each so many tiles; has memory for so many."""

    most: int
    at_once: int = 1
    call_s: float = 0.0
    memory: int = 100
    clock: Clock = field(default_factory=Clock)
    asked: list[int] = field(default_factory=list)
    name: str = "timed"
    precision: Precision = "fp16"
    xp: ModuleType = field(default_factory=lambda: cast(ModuleType, DeviceLibrary()))

    @property
    def batch_pixels(self) -> int:
        return self.most * 8 * 16

    def run(self, tiles: Any, out: Any) -> None:
        count = tiles.shape[0]
        assert tiles.shape[1:] == TILE
        assert out.shape == (count, 5, 8, 16)
        self.asked.append(count)
        if count > self.memory:
            raise MemoryError("no memory left")
        # The first time of a size is slow, and not what counts.
        first = 10.0 if self.asked.count(count) == 1 else 0.0
        self.clock.now_s += first + self.call_s + 0.1 * -(-count // self.at_once)


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (TimedEngine(most=16, at_once=4), 4),
        (TimedEngine(most=12, at_once=3), 12),
        (TimedEngine(most=8, call_s=1), 8),
        (TimedEngine(most=7, call_s=1), 7),
        (TimedEngine(most=8, call_s=1, memory=5), 4),
        (TimedEngine(most=16, call_s=0.004), 1),
    ],
    ids=["four at once", "three at once", "a call costs", "odd", "no memory", "not worth it"],
)
def test_a_batch_is_as_large_as_it_gains(clock: Clock, engine: TimedEngine, expected: int) -> None:
    engine.clock = clock
    assert fastest_batch_size(engine, TILE, heads=5) == expected
    assert set(engine.asked) <= set(batch_sizes(engine.most))


def test_an_engine_without_memory_for_one_tile_fails(clock: Clock) -> None:
    with pytest.raises(MemoryError):
        fastest_batch_size(TimedEngine(most=4, memory=0, clock=clock), TILE, heads=5)


def test_nothing_is_measured_on_a_cpu_or_without_a_choice() -> None:
    engine = TimedEngine(most=6, xp=np)
    assert fastest_batch_size(engine, TILE, heads=5) == 6
    assert not engine.asked
    engine = TimedEngine(most=1)
    assert fastest_batch_size(engine, TILE, heads=5) == 1
    assert not engine.asked
