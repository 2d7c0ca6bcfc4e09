"""The stopwatch, by a clock that moves when it is told."""

import pytest

from benchmarks.stopwatch import Stopwatch


def test_a_stage_is_counted_without_those_it_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0

    def wait(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    monkeypatch.setattr("time.perf_counter", lambda: now_s)
    watch = Stopwatch()
    inner = watch.watched("inner", wait)
    with watch.running("outer"):
        wait(1)
        inner(10)
        wait(2)
        inner(20)
    wait(100)
    assert watch.seconds == {"outer": 3, "inner": 30}
