"""SharedEngine: one engine for several Predictors in threads of their own, in fair turns."""

import threading
from collections import deque
from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from droneseg.engines import Engine, MirroringEngine
from droneseg.mode import Precision


class FairLock:
    """A lock that goes to whoever has waited longest; Python's goes to anybody."""

    def __init__(self) -> None:
        """Start free."""
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        with self._guard:
            return len(self._waiting)

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class SharedEngine:
    """An engine that several Predictors use in turns of one batch."""

    def __init__(self, engine: Engine, turns: FairLock):
        """Take the engine and the lock that all its users share."""
        self._engine = engine
        self._turns = turns

    @property
    def name(self) -> str:
        """Of the engine."""
        return self._engine.name

    @property
    def precision(self) -> Precision:
        """Of the engine."""
        return self._engine.precision

    @property
    def xp(self) -> ModuleType:
        """Of the engine."""
        return self._engine.xp

    @property
    def batch_pixels(self) -> int:
        """Of the engine."""
        return self._engine.batch_pixels

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Wait for the turn, then run the engine."""
        with self._turns:
            self._engine.run(tiles, out)


class SharedMirroringEngine(SharedEngine):
    """One that mirrors by itself."""

    def __init__(self, engine: MirroringEngine, turns: FairLock):
        """See SharedEngine."""
        super().__init__(engine, turns)
        self._mirroring = engine

    def add_mirrored(
        self, tiles: NDArray[np.float32], out: NDArray[np.float32], axes: Sequence[int]
    ) -> None:
        """Wait for the turn, then let the engine."""
        with self._turns:
            self._mirroring.add_mirrored(tiles, out, axes)


def shared(engine: Engine, turns: FairLock) -> SharedEngine:
    """The engine, to be used in turns by all who have the same lock."""
    if isinstance(engine, MirroringEngine):
        return SharedMirroringEngine(engine, turns)
    return SharedEngine(engine, turns)
