"""docs/capacity.md, from deploy/results.

python -m deploy.capacity_page
"""

import json
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.machine import signature
from benchmarks.prices import DATED, IMAGES, SOURCE
from deploy.capacity import DEMANDS, MIX, PHOTOS, ServiceTimes, plan, results_path
from deploy.manifests import Flavour
from deploy.queueing import poisson, simulate

PAGE = Path(__file__).parent.parent / "docs" / "capacity.md"
TITLES: dict[Flavour, str] = {"cpu": "CPU", "l4": "L4"}
UTILISATIONS = (0.5, 0.7, 0.8, 0.9)
MIXED = ", ".join(f"{share:.0%} of {height} x {width}" for (height, width), share in MIX.items())
INTRODUCTION = f"""# Capacity

How many photos a second an instance answers, how many instances a demand takes, and what they cost.
Written by `python -m deploy.capacity_page` from what `python -m deploy.service_times` measured on a
running service, photo after photo, with the default model.

The mix that is reckoned with: {MIXED}.
`make deploy` takes concurrency and the number of instances from here; another mix or demand goes
into `deploy/capacity.py`, other service times come from `python -m deploy.service_times` with the
URL of your service.
"""
METHOD = f"""
## How it is reckoned

- An instance answers 1 / mean service time photos a second: the network is busy all the time.
- **Concurrency** is the latency asked for / mean service time: the last photo of so many is
  answered in time. More would wait here while another instance could begin with them.
- **Instances** are the fewest with which a simulation of {PHOTOS:,} photos meets the demand: they
  arrive at random (Poisson) and go to the instance that has the fewest, which
  answers one after the other. `tests/deploy/test_capacity.py` compares the simulation with the
  formula of Pollaczek and Khinchine. Cloud Run's own way to start instances is not simulated: a
  burst waits for them to start, too.
- **Cost**: without discounts, and without the collector; instances that are always on cost as much
  idle as busy. Prices of {DATED}: {SOURCE}.
"""


def page() -> str:
    """The page."""
    parts = [INTRODUCTION, *(_section(flavour) for flavour in DEMANDS), METHOD]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _section(flavour: Flavour) -> str:
    times = ServiceTimes.load(flavour)
    demand = DEMANDS[flavour]
    heading = f"## {TITLES[flavour]}: {demand.instance.name}"
    if times is None:
        begin = f"`make deploy FLAVOUR={flavour}` begins with one instance."
        return f"{heading}\n\nNot measured here. {begin}\n"
    found = plan(times, demand)
    rate, front_s = 1 / times.mean_s, times.front_mean_s
    busy = demand.peak * times.mean_s / found.instances
    hourly = found.instances * demand.instance.dollars_a_second * 3600
    at_peak = demand.instance.dollars(demand.peak / found.instances)
    return f"""{heading}

{_service_times(flavour)}

| | |
| --- | --- |
| mean service time of the mix | {times.mean_s:.2f} s |
| photos a second, an instance | {rate:.2f} |
| cost of {IMAGES:,} photos, always busy | ${demand.instance.dollars(rate):.2f} |
| asked for | {demand.peak:g} photos a second, 95% of them within {demand.latency_s} s |
| concurrency | {found.concurrency} |
| instances | {found.instances}, busy {busy:.0%} of the time |
| p95 by the simulation | {found.p95_s:.1f} s |
| cost of {IMAGES:,} photos at this demand | ${at_peak:.2f} (${hourly:.2f} an hour) |

{_waiting(times, found.instances)}

**What saturates first** is the network: it takes {1 - front_s / times.mean_s:.1%} of a photo's
time, decoding and encoding {front_s * 1000:.0f} ms. A front alone would answer
{1 / front_s:.0f} photos a second.

{_measured_on(flavour)}
"""


def _service_times(flavour: Flavour) -> str:
    rows = [
        f"| {height} x {width} | {_mean(flavour, 'exact', (height, width))} "
        f"| {_mean(flavour, 'fast', (height, width))} |"
        for height, width in _sizes(flavour)
    ]
    return "\n".join(["| photo | `exact` | `fast` |", "| --- | --- | --- |", *rows])


def _sizes(flavour: Flavour) -> list[tuple[int, int]]:
    times = ServiceTimes.load(flavour)
    return list(times.seconds) if times else []


def _mean(flavour: Flavour, mode: str, size: tuple[int, int]) -> str:
    times = ServiceTimes.load(flavour, mode)
    return f"{fmean(times.seconds[size]):.2f} s" if times else ""


def _waiting(times: ServiceTimes, instances: int) -> str:
    """How answers become late as instances become busy."""
    rows = []
    for utilisation in UTILISATIONS:
        rng = np.random.default_rng(0)
        services = times.sample(PHOTOS, rng)
        arrivals = poisson(utilisation * instances / times.mean_s, PHOTOS, rng)
        took = simulate(arrivals.tolist(), services.tolist(), instances)
        p50, p95, p99 = np.percentile(took, (50, 95, 99))
        rows.append(f"| {utilisation:.0%} | {p50:.1f} s | {p95:.1f} s | {p99:.1f} s |")
    head = [f"| {instances} instances busy | p50 | p95 | p99 |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _measured_on(flavour: Flavour) -> str:
    report = json.loads(results_path(flavour).read_text())
    machine = report["machine"]
    where = signature(machine) if "processor" in machine else machine["name"]
    engine = report["model"]["modes"]["exact"]
    return f"Model {report['model']['name']}, {engine['engine']}, {engine['precision']}. {where}"


if __name__ == "__main__":
    PAGE.write_text(page())
