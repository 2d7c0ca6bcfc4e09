"""Rounds: every row once, again and again (A B A B), within a budget of time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.columns import TILES, Column
from benchmarks.latency.rows import REFERENCE
from benchmarks.latency.worker import Done, Worker, WorkerFailed
from benchmarks.others import Others

MB = 1_000_000
# Of the cores; a round in which other processes took more says more about them.
QUIET_SHARE = 0.05


@dataclass(frozen=True)
class Limits:
    """How much time to spend.

    Attributes:
        repeats: quiet rounds at the most.
        budget_s: rounds of a column end when they have taken this long; there is always one.
        longest_s: a row that would take longer for a column is left out of it.
    """

    repeats: int
    budget_s: float
    longest_s: float


@dataclass
class Timings:
    """What a row did in a column.

    Attributes:
        precision: what its network computes in.
        seconds: of each round; in the column of tiles of a batch, for a tile.
        skipped: why there are none.
        others_share: of the cores, the most that other processes took in one of these rounds.
        discarded: rounds that do not count, as others took too much.
    """

    precision: str
    seconds: list[float] = field(default_factory=list)
    labels: list[NDArray[np.uint8]] = field(default_factory=list)
    network_runs: int = 0
    peak_mb: int = 0
    skipped: str | None = None
    others_share: float = 0.0
    discarded: int = 0

    def take(self, done: Done, *, of_a_batch: bool) -> None:
        """Note a round."""
        self.seconds.append(done.seconds / done.network_runs if of_a_batch else done.seconds)
        self.labels = self.labels or done.labels
        self.network_runs = done.network_runs
        self.peak_mb = done.peak_bytes // MB

    def keep(self, rounds: Sequence[int], shares: Sequence[float]) -> None:
        """Let only some rounds count."""
        if self.seconds:
            self.discarded = sum(share > QUIET_SHARE for share in shares)
            self.seconds = [self.seconds[index] for index in rounds]
            self.others_share = max(shares[index] for index in rounds)


def measure_column(
    workers: dict[str, Worker],
    column: Column,
    paths: Sequence[Path],
    limits: Limits,
    tell: Callable[[str], None],
) -> dict[str, Timings]:
    """Time every row's worker in turn.

    The first round warms up, if there is time for more. Rounds count that were quiet, or else the
    quietest.

    Args:
        workers: by row.
        column: what to do.
        paths: of its photos.
        limits: when to stop.
        tell: is told which row is at work.
    """
    timings = {row: Timings(worker.precision) for row, worker in workers.items()}
    if paths:
        _leave_out_slow(workers, timings, paths, limits.longest_s)
    shares: list[float] = []
    spent_s = 0.0
    while not shares or (
        sum(share <= QUIET_SHARE for share in shares) <= limits.repeats
        and spent_s + spent_s / len(shares) <= limits.budget_s
    ):
        others = Others()
        for row, worker in workers.items():
            if timings[row].skipped is None:
                tell(f"{row}, round {len(shares)}")
                spent_s += _one_round(worker, timings[row], column, paths)
        shares.append(others.share())
    for timing in timings.values():
        timing.keep(rounds_that_count(shares), shares)
    return timings


def rounds_that_count(shares: Sequence[float]) -> list[int]:
    """Which rounds were quiet, without the first if there are others; else the quietest one."""
    quiet = [index for index, share in enumerate(shares) if share <= QUIET_SHARE]
    return quiet[1:] if quiet[:1] == [0] and len(quiet) > 1 else quiet or [_least(shares)]


def _least(shares: Sequence[float]) -> int:
    return min(range(len(shares)), key=shares.__getitem__)


def _one_round(worker: Worker, timing: Timings, column: Column, paths: Sequence[Path]) -> float:
    """Let a row's worker do it once; returns the seconds that it took."""
    try:
        done = worker.photos(paths) if paths else worker.tiles(column.count)
    except WorkerFailed as failure:
        timing.skipped = str(failure)
        return 0.0
    timing.take(done, of_a_batch=column.key == TILES)
    return done.seconds


def _leave_out_slow(
    workers: dict[str, Worker],
    timings: dict[str, Timings],
    paths: Sequence[Path],
    longest_s: float,
) -> None:
    shapes = [np.load(path, mmap_mode="r").shape[:2] for path in paths]
    for row, worker in workers.items():
        expected_s = worker.seconds_for(shapes)
        if expected_s > longest_s:
            timings[row].skipped = f"would take about {expected_s:.0f} s"


def labels_equal(timings: dict[str, Timings], row: str) -> float | None:
    """The share of pixels to which a row gives the reference's labels, where both have some."""
    reference = timings.get(REFERENCE)
    labels = timings[row].labels
    if reference is None or not reference.labels or not labels:
        return None
    equal = sum(
        int(np.count_nonzero(a == b)) for a, b in zip(labels, reference.labels, strict=True)
    )
    return equal / sum(part.size for part in labels)
