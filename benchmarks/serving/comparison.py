"""Our service beside what teams write by hand, under the same load."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.others import Others
from benchmarks.serving.load import Load, Outcome, generate
from benchmarks.serving.offline import Offline
from benchmarks.serving.photos import PHOTOS, write_labels
from benchmarks.serving.server import OURS, plain, serving
from droneseg.images import decode_image
from droneseg.mode import Mode

CLIENTS = 16
# Of the rate that the closed loop reached.
OPEN_SHARES = (0.5, 0.7, 0.85)
# In a batch of the network, and the histogram that our service has of it.
SIZES = {"photos_a_batch": "droneseg_batch_photos", "tiles_a_batch": "droneseg_batch_tiles"}
COUNTED = {f"{metric}_{part}" for metric in SIZES.values() for part in ("sum", "count")}


@dataclass(frozen=True)
class Service:
    """A server, and what to ask it.

    Attributes:
        title: for people.
        app: a FastAPI app of this folder; None for our own service.
        batch_size: tiles that the network of our own service gets at once; None: what suits it.
    """

    title: str
    mode: Mode
    app: str | None = None
    batch_size: int | None = None

    def start(self, model: Path, trained: Path | None) -> AbstractContextManager[httpx.Client]:
        """Start it; the client that comes is for looking at it, not for load."""
        if self.app is None:
            return serving(OURS, model, **tiles_at_once(self.batch_size))
        environment = {"DRONESEG_MODEL": str(model), "BENCH_MODE": self.mode}
        return plain(self.app, **environment, BENCH_TRAINED_FOLDER=str(trained or ""))

    @property
    def path(self) -> str:
        """The route, with options that the others do not have."""
        return f"/predict?render=labels&mode={self.mode}" if self.app is None else "/predict"


NNUNET = "nnunet"
SERVICES = {
    "droneseg-exact": Service("DroneSeg, exact", "exact"),
    "batched-exact": Service("DroneSeg, exact, batches of 4 tiles", "exact", batch_size=4),
    "engine-exact": Service("FastAPI on the same engine, exact", "exact", "plain_engine"),
    NNUNET: Service("FastAPI on nnUNetPredictor", "exact", "plain_nnunet"),
    "droneseg-fast": Service("DroneSeg, fast", "fast"),
    "batched-fast": Service("DroneSeg, fast, batches of 4 tiles", "fast", batch_size=4),
    "engine-fast": Service("FastAPI on the same engine, fast", "fast", "plain_engine"),
}
COMPARED_OPEN = ("droneseg-exact", "engine-exact", NNUNET, "droneseg-fast", "engine-fast")


@dataclass(frozen=True)
class Comparison:
    """The same load for every service.

    Attributes:
        trained: the nnU-Net folder of the bundle; without it there is no nnUNetPredictor.
        folder: for photos and labels.
        seconds: about how long a load takes, by the offline rate of its mode.
        fewest: requests of a load.
    """

    model: Path
    trained: Path | None
    folder: Path
    seconds: float = 30
    fewest: int = 24

    def closed(self, rounds: int) -> dict[str, Any]:
        """CLIENTS that each wait for their answer, service after service, round after round."""
        modes: tuple[Mode, ...] = ("exact", "fast")
        offline: dict[Mode, list[float]] = {mode: [] for mode in modes}
        seen: dict[str, list[dict[str, Any]]] = {name: [] for name in self._services()}
        for _ in tqdm(range(rounds), desc="closed loop", unit="round"):
            for mode in modes:
                offline[mode].append(self._offline_rate(mode))
            for name in tqdm(seen, desc="services", leave=False):
                requests = self._requests(offline[SERVICES[name].mode][-1])
                seen[name].append(self._one(name, clients=CLIENTS, requests=requests))
        return {
            "clients": CLIENTS,
            "rounds": rounds,
            "offline_rate": {mode: median(rates) for mode, rates in offline.items()},
            "services": {name: _together(outcomes) for name, outcomes in seen.items()},
        }

    def open(self, closed: dict[str, Any]) -> dict[str, Any]:
        """Requests that come by themselves, at shares of the rate of the closed loop."""
        points: dict[str, list[dict[str, Any]]] = {}
        for name in tqdm(COMPARED_OPEN, desc="open loop", unit="service"):
            if name not in closed["services"]:
                continue
            most = closed["services"][name]["rate"]
            points[name] = []
            for share in OPEN_SHARES:
                requests = max(self.fewest, round(share * most * self.seconds))
                seen = self._one(name, rate=share * most, requests=requests)
                points[name].append({"share": share, "offered": share * most, **seen})
        return {"services": points}

    def _services(self) -> Iterator[str]:
        return (name for name in SERVICES if name != NNUNET or self.trained)

    def _offline_rate(self, mode: Mode) -> float:
        known = self._known(mode)
        photos: list[NDArray[np.uint8]] = [
            decode_image((known / f"{index}.jpg").read_bytes()) for index in range(PHOTOS)
        ]
        return Offline(self.model).best_rate(mode, photos, self.seconds / 2)

    def _known(self, mode: Mode) -> Path:
        known = self.folder / mode
        return known if known.is_dir() else write_labels(self.folder, Offline(self.model), mode)

    def _requests(self, rate: float) -> int:
        return max(self.fewest, round(rate * self.seconds))

    def _one(self, name: str, **what: Any) -> dict[str, Any]:
        """Start a service, put it under load, and say what was seen."""
        service = SERVICES[name]
        known = self._known(service.mode)
        with service.start(self.model, self.trained) as client:
            before = batches(client)
            url = f"{str(client.base_url).rstrip('/')}{service.path}"
            load = Load(url=url, folder=str(known), photos=PHOTOS, warm_up=PHOTOS // 2, **what)
            others = Others()
            outcome = generate(load)
            others_share = others.share()
            sizes = mean_sizes(before, batches(client))
        return {
            "rate": outcome.rate,
            "errors": len(outcome.errors),
            "labels_equal": outcome.labels_equal,
            "generator_cpu_share": outcome.cpu_s / outcome.seconds,
            "others_share": others_share,
            **sizes,
            **latencies_of(outcome),
        }


def latencies_of(outcome: Outcome) -> dict[str, Any]:
    """Percentiles, in seconds, and the latencies themselves."""
    cuts = quantiles(outcome.latencies_s, n=100, method="inclusive")
    return {
        "requests": len(outcome.latencies_s),
        "p50_s": cuts[49],
        "p95_s": cuts[94],
        "p99_s": cuts[98],
        "latencies_s": [round(latency, 4) for latency in outcome.latencies_s],
    }


def _together(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """The rounds of a service: the median of their rates, percentiles of all their latencies."""
    every = Outcome([latency for outcome in outcomes for latency in outcome["latencies_s"]])
    return {
        "rate": median(outcome["rate"] for outcome in outcomes),
        "rates": [outcome["rate"] for outcome in outcomes],
        "errors": sum(outcome["errors"] for outcome in outcomes),
        "labels_equal": min(outcome["labels_equal"] for outcome in outcomes),
        "generator_cpu_share": max(outcome["generator_cpu_share"] for outcome in outcomes),
        "others_share": max(outcome["others_share"] for outcome in outcomes),
        **{
            name: median(outcome[name] for outcome in outcomes)
            for name in SIZES
            if name in outcomes[0]
        },
        **latencies_of(every),
    }


def tiles_at_once(batch_size: int | None) -> dict[str, int]:
    """The setting of our service."""
    return {} if batch_size is None else {"batch_size": batch_size}


def batches(client: httpx.Client) -> dict[str, float]:
    """Batches of the network so far, and what was in them; empty for a service that counts none."""
    lines = (line.split() for line in client.get("/metrics").text.splitlines())
    return {line[0]: float(line[1]) for line in lines if line[:1] and line[0] in COUNTED}


def mean_sizes(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Of the batches between two looks: photos and tiles; empty for a service without batches."""
    grown = {name: after[name] - before[name] for name in after}
    return {name: grown[f"{m}_sum"] / grown[f"{m}_count"] for name, m in SIZES.items() if grown}


def without_latencies(part: dict[str, Any]) -> dict[str, Any]:
    """For the results: the percentiles say enough."""
    return {
        key: without_latencies(value) if isinstance(value, dict) else value
        for key, value in part.items()
        if key != "latencies_s"
    }
