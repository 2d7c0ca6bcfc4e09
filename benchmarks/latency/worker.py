"""Workers: a process for each row, so that its memory and its threads are its own."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.models import Model
from benchmarks.latency.rows import Row
from benchmarks.latency.subject import Subject, open_subject
from droneseg.bundle import Bundle

SPAWN = get_context("spawn")
# A compiled network is fast from the third call on.
WARM_UP = 3


@dataclass(frozen=True)
class Done:
    """What a worker answers.

    Attributes:
        seconds: that the work took, without reading photos.
        labels: of each photo.
        network_runs: tiles that went through the network.
        peak_bytes: the process's VmHWM so far.
    """

    seconds: float
    labels: list[NDArray[np.uint8]]
    network_runs: int
    peak_bytes: int


class WorkerFailed(Exception):
    """A row that cannot be run after all; the message says why."""


class Worker:
    """The other end of a process that holds one row's subject.

    Attributes:
        precision: what its network computes in.
        tile_s: seconds for one tile.
    """

    def __init__(self, row: Row, model: Model, *, mirroring: bool):
        """Start the process, load, and run a tile often enough to be warm."""
        ours, theirs = SPAWN.Pipe()
        self._pipe = ours
        self._process = SPAWN.Process(
            target=_serve, args=(theirs, row, model, mirroring), daemon=True
        )
        self._process.start()
        theirs.close()
        self.precision: str = self._receive()
        for _ in range(WARM_UP):
            warm = self.tiles(1)
        self.tile_s = warm.seconds

    def tiles(self, count: int) -> Done:
        """Run the network on so many tiles; 0 for as many as suit it."""
        done: Done = self._ask(count)
        return done

    def photos(self, paths: Sequence[Path]) -> Done:
        """Segment photos together."""
        done: Done = self._ask(list(paths))
        return done

    def seconds_for(self, shapes: Sequence[tuple[int, int]]) -> float:
        """About how long photos of these sizes would take, by the time of a tile."""
        runs: int = self._ask(list(shapes))
        return runs * self.tile_s

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def _ask(self, work: object) -> Any:
        self._pipe.send(work)
        return self._receive()

    def _receive(self) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise WorkerFailed("its process ended") from None
        if isinstance(answer, WorkerFailed):
            raise answer
        return answer


def _serve(pipe: Connection, row: Row, model: Model, mirroring: bool) -> None:  # noqa: FBT001
    """The process: load, then work until the pipe is closed."""
    try:
        subject = open_subject(row, model, mirroring=mirroring)
        member = Bundle.load(model.bundle).plan.members[0]
        noise = np.random.default_rng(0).standard_normal(
            (subject.batch_size, len(member.channels), *member.patch_size), np.float32
        )
        pipe.send(subject.precision)
        while True:
            pipe.send(_do(subject, pipe.recv(), noise))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is the answer
        traceback.print_exc()
        pipe.send(WorkerFailed(f"{type(error).__name__}: {error}".splitlines()[0]))


def _do(subject: Subject, work: Any, noise: NDArray[np.float32]) -> Any:
    if isinstance(work, int):
        tiles = noise[: work or None]
        start = time.perf_counter()
        subject.tiles(tiles)
        return Done(time.perf_counter() - start, [], len(tiles), _peak_bytes())
    if work and isinstance(work[0], tuple):
        return subject.network_runs(work)
    photos = [np.load(path) for path in work]
    start = time.perf_counter()
    labels = subject.photos(photos)
    seconds = time.perf_counter() - start
    runs = subject.network_runs([photo.shape[:2] for photo in photos])
    return Done(seconds, labels, runs, _peak_bytes())


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if "VmHWM" in line)) * 1024
