"""Picks engine, precision, threads, batch and Cloud Run's concurrency for this machine.

python -m benchmarks.tune [--mode fast]

Each choice is tried for some seconds on drawn photos, the others being as picked before. Writes
benchmarks/results/tune_MODE.{json,md}.
"""

import argparse
from dataclasses import dataclass
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from benchmarks import prices
from benchmarks.machine import describe, signature, write_results
from benchmarks.prices import instance
from benchmarks.serving.offline import Offline, Photos
from droneseg.bundle import DEFAULT_MODEL, Bundle
from droneseg.engines import RUNTIMES, open_engine, unusable
from droneseg.errors import DroneSegError
from droneseg.machine import available_cores
from droneseg.mode import Mode, Precision
from droneseg.scene import draw_scene

PHOTOS = 8
PRECISIONS: dict[Mode, tuple[Precision, ...]] = {
    "exact": ("fp32", "fp16"),
    "fast": ("fp32", "fp16", "bf16", "int16"),
}
# DRONESEG_MAX_QUEUE.
MAX_QUEUE = 64
MEMORY_GIB = 4


@dataclass
class Trials:
    """Tries settings, and remembers how fast they were."""

    offline: Offline
    photos: Photos
    mode: Mode
    seconds: float
    tried: list[dict[str, Any]]

    def rate(self, **settings: Any) -> float:
        """Photos a second."""
        rate = self.offline.rate(self.photos, self.seconds, mode=self.mode, **settings)
        self.tried.append({**settings, "photos_a_second": rate})
        return rate

    def best(self, name: str, values: list[Any], **settings: Any) -> Any:
        """The value of a setting with the highest rate."""
        rates = {value: self.rate(**settings, **{name: value}) for value in _shown(name, values)}
        return max(rates, key=rates.__getitem__)


def main() -> None:
    """Pick one setting after the other, and print them."""
    options = parse()
    machine = describe()
    height, width = options.size
    photos = [draw_scene(height, width, seed) for seed in range(PHOTOS)]
    trials = Trials(Offline(options.model), photos, options.mode, options.seconds, [])
    settings: dict[str, Any] = {}
    candidates = usable(Bundle.load(options.model), options.mode)
    rates = {
        (engine, precision): trials.rate(engine=engine, precision=precision)
        for engine, precision in _shown("engine", candidates)
    }
    settings["engine"], settings["precision"] = max(rates, key=rates.__getitem__)
    settings["threads"] = trials.best("threads", thread_counts(), **settings)
    settings["batch_size"] = trials.best("batch_size", [None, 1, 2, 4, 8], **settings)
    rate = max(trial["photos_a_second"] for trial in trials.tried)
    report = {
        "machine": machine,
        "model": options.model.name,
        "mode": options.mode,
        "size": options.size,
        "settings": settings,
        "photos_a_second": rate,
        "concurrency": concurrency(rate, options.latency_s),
        "tried": trials.tried,
    }
    print(write_results(f"tune_{options.mode}", report, described(report)))


def usable(bundle: Bundle, mode: Mode) -> list[tuple[str, Precision]]:
    """Runtimes and precisions that reproduce the bundle's probe tiles here."""
    found = []
    runtimes = [name for name in RUNTIMES if unusable(name) is None]
    for engine, precision in product(runtimes, PRECISIONS[mode]):
        try:
            open_engine(bundle, runtime=engine, precision=precision)
        except DroneSegError as error:
            print(f"{engine} {precision}: {error.message}")
        else:
            found.append((engine, precision))
    return found


def thread_counts() -> list[int]:
    """All cores, half of them, and so on down to one."""
    cores = available_cores()
    return sorted({max(1, cores >> halvings) for halvings in range(cores.bit_length())})


def concurrency(rate: float, latency_s: float) -> int:
    """Requests for an instance at a time.

    Two photos keep the network busy: one is computed while the next is decoded. More only wait,
    which is well as long as the last of them is answered in time.
    """
    return max(2, min(int(rate * latency_s), MAX_QUEUE), ceil(rate))


def described(report: dict[str, Any]) -> str:
    """The settings for people."""
    settings = ", ".join(f"{name}={value!r}" for name, value in report["settings"].items())
    machine = report["machine"]
    where = instance(machine["cores"], MEMORY_GIB, gpu=machine["gpu"] is not None)
    rate = report["photos_a_second"]
    height, width = report["size"]
    return f"""Mode {report["mode"]}, photos of {height} x {width}: {rate:.2f} photos/s, \
${where.dollars(rate):.3f} for 1,000 images

    Predictor({report["model"]!r}, mode={report["mode"]!r}, {settings})
    gcloud run deploy --cpu {where.vcpus} --memory {where.memory_gib}Gi \
--concurrency {report["concurrency"]}

{where.name}, always busy, list prices of {prices.DATED} ({prices.SOURCE}).
{signature(machine)}
"""


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", type=Path, default=DEFAULT_MODEL, help="the bundle (default: %(default)s)")
    add("--mode", choices=get_args(Mode), default="exact", help="default: %(default)s")
    add("--size", type=int, nargs=2, default=(512, 512), help="of a photo, default: 512 512")
    add("--seconds", type=float, default=8, help="for each trial (default: %(default)s)")
    add("--latency-s", type=float, default=10, help="within which all are to be answered")
    return parser.parse_args()


def _shown(name: str, values: list[Any]) -> Any:
    return tqdm(values, desc=name, unit="trial")


if __name__ == "__main__":
    main()
