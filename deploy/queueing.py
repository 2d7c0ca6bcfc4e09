"""A simulation of instances behind a load balancer, photo by photo."""

from collections import deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray


def poisson(rate: float, photos: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """When photos arrive that know nothing of each other, in seconds, `rate` of them a second."""
    return np.cumsum(rng.exponential(1 / rate, photos))


def simulate(
    arrivals: Sequence[float], services: Sequence[float], instances: int, batch: int = 1
) -> NDArray[np.float64]:
    """Seconds from each photo's arrival to its answer.

    A photo goes to the instance that has the fewest, which takes up to `batch` of those that wait
    and answers them together, after the sum of their times.

    Args:
        arrivals: seconds, ascending.
        services: seconds that each photo takes alone.
        instances: how many there are.
        batch: photos that an instance takes at once.
    """
    photos = len(arrivals)
    answered: NDArray[np.float64] = np.empty(photos)
    held = [0] * instances
    waiting: list[deque[int]] = [deque() for _ in range(instances)]
    running: list[list[int]] = [[] for _ in range(instances)]
    # When, in which order, and the instance that finishes; None: the photo `order` arrives.
    events: list[tuple[float, int, int | None]] = [
        (time, order, None) for order, time in enumerate(arrivals)
    ]
    heapify(events)
    order = photos
    while events:
        now, photo, instance = heappop(events)
        if instance is None:
            instance = held.index(min(held))
            held[instance] += 1
            waiting[instance].append(photo)
        else:
            answered[running[instance]] = now
            held[instance] -= len(running[instance])
            running[instance] = []
        if waiting[instance] and not running[instance]:
            queue = waiting[instance]
            running[instance] = [queue.popleft() for _ in range(min(batch, len(queue)))]
            took = sum(services[photo] for photo in running[instance])
            heappush(events, (now + took, order, instance))
            order += 1
    answered -= arrivals
    return answered
