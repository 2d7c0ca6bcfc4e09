"""The load generator: photos in, latencies and masks' comparison out, in a process of its own.

It reads a Load from stdin and writes an Outcome to stdout, as JSON.
"""

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
from numpy.typing import NDArray
from PIL import Image

TIMEOUT_S = 600


@dataclass(frozen=True)
class Load:
    """What to ask for.

    Attributes:
        url: of the route, with its options.
        folder: of N.jpg, and N.npy with the labels that are expected.
        photos: how many of them there are.
        requests: to be sent in all, after those that warm up.
        warm_up: requests whose latencies do not count.
        clients: that each send their next request when the last is answered; or else
        rate: requests a second that come by themselves, at random times (Poisson).
        seed: of these times.
    """

    url: str
    folder: str
    photos: int
    requests: int
    warm_up: int = 0
    clients: int = 0
    rate: float = 0.0
    seed: int = 0


@dataclass
class Outcome:
    """What was seen.

    Attributes:
        latencies_s: of each answer, from when the request was to be sent.
        seconds: from the first request that counts to the last answer.
        cpu_s: that the generator itself needed meanwhile.
        errors: statuses that were not 200, and failed connections.
        labels_equal: the smallest share of expected labels of a mask.
    """

    latencies_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0
    errors: list[str] = field(default_factory=list)
    labels_equal: float = 1.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.seconds


def generate(load: Load) -> Outcome:
    """Run the generator in a process that is bound to the machine's last core."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving.load"],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        check=True,
    )
    return Outcome(**json.loads(done.stdout))


class Generator:
    """Sends photos and looks at the masks that come back."""

    def __init__(self, load: Load):
        """Read the photos and the labels that are expected."""
        folder = Path(load.folder)
        self._load = load
        self._photos = [(folder / f"{index}.jpg").read_bytes() for index in range(load.photos)]
        self._labels = [np.load(folder / f"{index}.npy") for index in range(load.photos)]
        self._outcome = Outcome()
        self._sent = 0

    async def run(self) -> Outcome:
        """Warm up, then measure."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            if self._load.warm_up:
                await self._clients(session, self._load.warm_up)
                self._outcome = Outcome(labels_equal=self._outcome.labels_equal)
            start, cpu_start = time.perf_counter(), time.process_time()
            if self._load.clients:
                await self._clients(session, self._load.requests)
            else:
                await self._arrivals(session)
            self._outcome.seconds = time.perf_counter() - start
            self._outcome.cpu_s = time.process_time() - cpu_start
        return self._outcome

    async def _clients(self, session: aiohttp.ClientSession, requests: int) -> None:
        """A closed loop: as many requests are always there as clients."""
        left = iter(range(requests))

        async def client() -> None:
            for _ in left:
                await self._post(session, time.perf_counter())

        await asyncio.gather(*(client() for _ in range(max(self._load.clients, 1))))

    async def _arrivals(self, session: aiohttp.ClientSession) -> None:
        """An open loop: requests come however long the others take."""
        gaps = np.random.default_rng(self._load.seed).exponential(
            1 / self._load.rate, self._load.requests
        )
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for due in start + np.cumsum(gaps):
                await asyncio.sleep(due - time.perf_counter())
                group.create_task(self._post(session, float(due)))

    async def _post(self, session: aiohttp.ClientSession, due: float) -> None:
        index = self._sent % self._load.photos
        self._sent += 1
        form = aiohttp.FormData()
        form.add_field("data", self._photos[index], filename=f"{index}.jpg")
        try:
            async with session.post(
                self._load.url, data=form, headers={"Accept": "image/png"}
            ) as answer:
                mask = await answer.read()
        except aiohttp.ClientError as error:
            self._outcome.errors.append(type(error).__name__)
            return
        if answer.status != 200:
            self._outcome.errors.append(str(answer.status))
            return
        self._outcome.latencies_s.append(time.perf_counter() - due)
        equal = float(np.mean(_labels(mask) == self._labels[index]))
        self._outcome.labels_equal = min(self._outcome.labels_equal, equal)


def _labels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def main() -> None:
    """Read a Load, bind this process to a core, and write the Outcome."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    outcome = asyncio.run(Generator(Load(**json.load(sys.stdin))).run())
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main()
