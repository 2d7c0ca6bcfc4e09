"""Stopwatch: how long each stage runs, without the stages that it calls."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import local
from typing import Any


class _Running(local):
    """The stages that a thread is in, and when it last entered or left one."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.since_s = 0.0


class Stopwatch:
    """Adds up the time of stages, which may call each other and run in several threads.

    Attributes:
        seconds: of each stage.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._running = _Running()

    def reset(self) -> None:
        """Start again at zero."""
        self.seconds.clear()

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        """Count what happens here for a stage, and not for the one around it."""
        self._note()
        self._running.stages.append(stage)
        try:
            yield
        finally:
            self._note()
            self._running.stages.pop()

    def watched(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function or method, counted for a stage."""

        @wraps(call)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.running(stage):
                return call(*args, **kwargs)

        return counted

    def _note(self) -> None:
        now = time.perf_counter()
        if self._running.stages:
            self.seconds[self._running.stages[-1]] += now - self._running.since_s
        self._running.since_s = now
