"""What metrics and the prediction log cost: python -m benchmarks.observing.

One service runs, with both and without in turns, and is asked in bursts of many clients. The log's
thread writes its batches every 10 s, in whichever turn it is. Photos a second vary by some per cent
from burst to burst, as batches form by chance, so the server's processor time is compared, too.
Writes benchmarks/results/observing.{json,md}. Without --model the network is a small random one: on
a larger one what is constant for each photo weighs less.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from tqdm import trange

from benchmarks.bundles import write_bundle
from benchmarks.latency.interval import median_interval
from benchmarks.machine import describe, signature, write_results
from benchmarks.photos import jpeg
from benchmarks.random_model import TrainedFolder
from benchmarks.serving.server import serving
from droneseg.scene import draw_scene

SMALL_NETWORK = TrainedFolder(patch_size=(256, 256), mirror_axes=())
SWITCHED = "benchmarks.observing.switched:DroneSeg"
CLIENTS = 8
BURST = 64
ROUNDS = 40
PHOTOS = [jpeg(draw_scene(256, 256, seed=seed)) for seed in range(8)]


class Burst(NamedTuple):
    """What was seen of many photos.

    Attributes:
        rate: photos a second.
        cpu_ms: of the server's processes, a photo.
    """

    rate: float
    cpu_ms: float


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observing", description=__doc__)
    parser.add_argument("--model", type=Path, help="a bundle")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        off = Path(folder) / "off"
        os.environ["OBSERVING_OFF"] = str(off)
        model = options.model or write_bundle(SMALL_NETWORK, Path(folder), "small_random").path
        with serving(SWITCHED, model) as client, ThreadPoolExecutor(CLIENTS) as pool:
            rounds = in_turns(client, off, pool, options.rounds)
    report = {
        "machine": describe(),
        "model": model.name,
        "photos_a_second": {name: [burst.rate for burst in seen] for name, seen in rounds.items()},
        "cpu_ms_a_photo": {name: [burst.cpu_ms for burst in seen] for name, seen in rounds.items()},
    }
    print(write_results("observing", report, table(report)))


def in_turns(
    client: httpx.Client, off: Path, pool: ThreadPoolExecutor, rounds: int
) -> dict[str, list[Burst]]:
    """A burst of each in every round."""
    ask(client, pool)
    seen: dict[str, list[Burst]] = {"observed": [], "unobserved": []}
    for index in trange(rounds, unit="round"):
        # Neither is always the first.
        for name in ("observed", "unobserved") if index % 2 else ("unobserved", "observed"):
            off.touch() if name == "unobserved" else off.unlink(missing_ok=True)
            seen[name].append(ask(client, pool))
    return seen


def ask(client: httpx.Client, pool: ThreadPoolExecutor) -> Burst:
    """Ask for many photos at once."""

    def post(index: int) -> None:
        photo = PHOTOS[index % len(PHOTOS)]
        client.post("/predict", files={"data": photo}).raise_for_status()

    start, cpu_start_s = time.perf_counter(), servers_cpu_s()
    list(pool.map(post, range(BURST)))
    spent_s, cpu_s = time.perf_counter() - start, servers_cpu_s() - cpu_start_s
    return Burst(BURST / spent_s, cpu_s * 1000 / BURST)


def servers_cpu_s() -> float:
    """Processor time of the processes that this one has started, so far."""
    return sum(
        sum(process.cpu_times()[:2]) for process in psutil.Process().children(recursive=True)
    )


def table(report: dict[str, Any]) -> str:
    """For people."""
    columns = {"photos a second": "photos_a_second", "ms of processors a photo": "cpu_ms_a_photo"}
    rows = {
        name: [shown(report[key][name], 1) for key in columns.values()]
        for name in ("observed", "unobserved")
    }
    rows["observed over unobserved"] = [shown(ratios(report[key]), 3) for key in columns.values()]
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    rounds = len(report["photos_a_second"]["observed"])
    return f"""|  | {" | ".join(columns)} |
| --- | --- | --- |
{chr(10).join(lines)}

Medians of {rounds} rounds. 256 x 256 photos of {CLIENTS} clients, {report["model"]}.

{signature(report["machine"])}
"""


def ratios(values: dict[str, list[float]]) -> list[float]:
    """With over without, of each round."""
    return [a / b for a, b in zip(values["observed"], values["unobserved"], strict=True)]


def shown(values: list[float], digits: int) -> str:
    """A median and its interval."""
    interval = median_interval(values)
    low, high = interval.low, interval.high
    return f"{interval.median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
