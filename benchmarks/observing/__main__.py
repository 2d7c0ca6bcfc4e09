"""What metrics and the prediction log cost: python -m benchmarks.observing.

One service runs, with both and without in turns, and is asked in bursts of many clients. The log's
thread writes its batches every 10 s, in whichever turn it is. Writes
benchmarks/results/observing.{json,md}. Without --model the network is a small random one: on a
larger one what is constant for each photo weighs less.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
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
            ratios, rates = in_turns(client, off, pool, options.rounds)
    interval = median_interval(ratios)
    report = {
        "machine": describe(),
        "model": model.name,
        "photos_a_second": rates,
        "ratio": interval.median,
        "ratio_95": [interval.low, interval.high],
    }
    print(write_results("observing", report, table(report)))


def in_turns(
    client: httpx.Client, off: Path, pool: ThreadPoolExecutor, rounds: int
) -> tuple[list[float], dict[str, list[float]]]:
    """With over without, of each round; photos a second of each."""
    burst(client, pool)
    rates: dict[str, list[float]] = {"observed": [], "unobserved": []}
    for index in trange(rounds, unit="round"):
        # Neither is always the first.
        for name in ("observed", "unobserved") if index % 2 else ("unobserved", "observed"):
            off.touch() if name == "unobserved" else off.unlink(missing_ok=True)
            rates[name].append(burst(client, pool))
    pairs = zip(rates["observed"], rates["unobserved"], strict=True)
    return [with_both / without for with_both, without in pairs], rates


def burst(client: httpx.Client, pool: ThreadPoolExecutor) -> float:
    """Photos a second of many clients."""

    def post(index: int) -> None:
        photo = PHOTOS[index % len(PHOTOS)]
        client.post("/predict", files={"data": photo}).raise_for_status()

    start = time.perf_counter()
    list(pool.map(post, range(BURST)))
    return BURST / (time.perf_counter() - start)


def table(report: dict[str, Any]) -> str:
    """For people."""
    low, high = report["ratio_95"]
    rounds = report["photos_a_second"]["observed"]
    medians = {name: median_interval(values) for name, values in report["photos_a_second"].items()}
    rows = "\n".join(
        f"| {name} | {m.median:.1f} ({m.low:.1f} to {m.high:.1f}) |" for name, m in medians.items()
    )
    return f"""| service | photos a second |
| --- | --- |
{rows}

Observed over unobserved, median of {len(rounds)} rounds: {report["ratio"]:.3f} ({low:.3f} to \
{high:.3f}). 256 x 256 photos of {CLIENTS} clients, {report["model"]}.

{signature(report["machine"])}
"""


if __name__ == "__main__":
    main()
