"""How many instances a demand takes and what they cost, from measured service times.

python -m deploy.capacity

writes docs/capacity.md; `make deploy` takes concurrency and the number of instances from here.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.prices import Instance
from deploy.manifests import Flavour
from deploy.queueing import poisson, simulate
from deploy.service_times import RESULTS

# Height and width in px, and their share: what is reckoned with where nobody knows better.
MIX = {(512, 512): 0.7, (600, 800): 0.2, (1000, 1000): 0.1}
PHOTOS = 20_000
# DRONESEG_MAX_QUEUE.
MAX_QUEUE = 64


@dataclass(frozen=True)
class Demand:
    """What is asked of a deployment.

    Attributes:
        peak: photos a second that keep coming.
        latency_s: within which 95 of 100 photos are to be answered.
    """

    instance: Instance
    peak: float
    latency_s: int


DEMANDS: dict[Flavour, Demand] = {
    "cpu": Demand(Instance("2 vCPU, 4 GiB", 2, 4), peak=2, latency_s=20),
    "l4": Demand(Instance("L4, 4 vCPU, 16 GiB", 4, 16, gpus=1), peak=10, latency_s=2),
}


@dataclass(frozen=True)
class ServiceTimes:
    """Measured seconds of photos, by their size in px; the front's share apart."""

    seconds: dict[tuple[int, int], list[float]]
    front_seconds: dict[tuple[int, int], list[float]]

    @classmethod
    def load(cls, flavour: Flavour, mode: str = "exact") -> "ServiceTimes | None":
        """Of a flavour in a mode; None if it was not measured."""
        path = results_path(flavour)
        if not path.is_file():
            return None
        photos = [row for row in json.loads(path.read_text())["photos"] if row["mode"] == mode]
        return cls(
            {(row["height"], row["width"]): row["seconds"] for row in photos},
            {(row["height"], row["width"]): row["front_seconds"] for row in photos},
        )

    @property
    def mean_s(self) -> float:
        """Of the mix."""
        return sum(share * fmean(self.seconds[size]) for size, share in MIX.items())

    @property
    def front_mean_s(self) -> float:
        """Of the mix, decoding and encoding alone."""
        return sum(share * fmean(self.front_seconds[size]) for size, share in MIX.items())

    def sample(self, photos: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Seconds of photos of the mix."""
        sizes = list(MIX)
        chosen = rng.choice(len(sizes), photos, p=list(MIX.values()))
        return np.array([rng.choice(self.seconds[sizes[index]]) for index in chosen])

    def p95(self, rate: float, instances: int) -> float:
        """Seconds within which 95 of 100 photos are answered that come `rate` a second."""
        rng = np.random.default_rng(0)
        arrivals = poisson(rate, PHOTOS, rng)
        took = simulate(arrivals.tolist(), self.sample(PHOTOS, rng).tolist(), instances)
        return float(np.percentile(took, 95))


@dataclass(frozen=True)
class Plan:
    """What a demand takes.

    Attributes:
        concurrency: of an instance: the last of so many photos is answered in time.
        instances: the fewest by which the simulation meets the demand.
        p95_s: by the simulation, with these instances.
    """

    concurrency: int
    instances: int
    p95_s: float


def plan(times: ServiceTimes, demand: Demand) -> Plan:
    """The smallest deployment that meets a demand.

    Raises:
        ValueError: none does, as a photo alone takes too long.
    """
    concurrency = min(MAX_QUEUE, max(1, math.floor(demand.latency_s / times.mean_s)))
    instances = math.floor(demand.peak * times.mean_s) + 1
    alone = times.sample(PHOTOS, np.random.default_rng(0))
    if np.percentile(alone, 95) > demand.latency_s:
        raise ValueError(f"no number of instances answers within {demand.latency_s} s")
    while (p95_s := times.p95(demand.peak, instances)) > demand.latency_s:
        instances += 1
    return Plan(concurrency, instances, p95_s)


# Where nothing was measured: enough to keep the network busy, and no bill that surprises.
UNMEASURED = Plan(concurrency=16, instances=1, p95_s=math.nan)


def planned(flavour: Flavour) -> Plan:
    """The plan of a flavour for its demand, or what to begin with if it was not measured."""
    times = ServiceTimes.load(flavour)
    return plan(times, DEMANDS[flavour]) if times else UNMEASURED


def results_path(flavour: Flavour) -> Path:
    """What deploy.service_times wrote."""
    return RESULTS / f"service_times_{flavour}.json"
