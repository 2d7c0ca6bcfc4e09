"""The arithmetic of docs/capacity.md."""

import numpy as np
import pytest

from benchmarks.prices import Instance
from deploy.capacity import Demand, ServiceTimes, plan
from deploy.capacity_page import PAGE, page
from deploy.queueing import poisson, simulate

PHOTOS = 50_000


@pytest.mark.parametrize("utilisation", [0.5, 0.8])
def test_one_instance_waits_as_pollaczek_and_khinchine_say(utilisation: float) -> None:
    rng = np.random.default_rng(1)
    services = rng.choice([0.5, 1.0, 3.0], PHOTOS, p=[0.5, 0.4, 0.1])
    rate = utilisation / services.mean()
    took = simulate(poisson(rate, PHOTOS, rng).tolist(), services.tolist(), 1)
    waited = rate * (services**2).mean() / 2 / (1 - utilisation)
    assert np.mean(took - services) == pytest.approx(waited, rel=0.1)


def test_constant_times_without_a_queue() -> None:
    arrivals = [0.0, 10.0, 20.0]
    assert simulate(arrivals, [1.0, 2.0, 3.0], 1).tolist() == [1, 2, 3]


def test_a_photo_goes_to_the_instance_that_has_the_fewest() -> None:
    took = simulate([0.0, 0.1, 0.2, 0.3, 1.05], [1.0, 2.0, 1.0, 1.0, 1.0], 2)
    # The third to the first instance, the fourth to the second, the last to the first again.
    assert took.tolist() == pytest.approx([1.0, 2.0, 1.8, 2.8, 1.95])


def test_an_instance_can_do_what_its_mean_time_says() -> None:
    """Beyond this rate the queue grows without end."""
    rng = np.random.default_rng(2)
    services = np.full(2000, 0.5)
    for instances in (1, 3):
        arrivals = poisson(100, 2000, rng)
        took = simulate(arrivals.tolist(), services.tolist(), instances)
        assert 2000 / max(arrivals + took) == pytest.approx(instances / 0.5, rel=0.05)


def test_a_plan_has_as_many_instances_as_it_takes() -> None:
    sizes = {(512, 512), (600, 800), (1000, 1000)}
    times = ServiceTimes({size: [1.0] for size in sizes}, {size: [0.01] for size in sizes})
    demand = Demand(Instance("", 2, 4), peak=3, latency_s=5)
    found = plan(times, demand)
    assert times.mean_s == pytest.approx(1)
    assert found.concurrency == 5
    assert found.instances > 3
    assert found.p95_s <= 5 < times.p95(3, found.instances - 1)
    with pytest.raises(ValueError, match="no number"):
        plan(times, Demand(demand.instance, peak=0.1, latency_s=0))


def test_the_page_is_what_the_results_say() -> None:
    assert PAGE.read_text() == page()
