"""A simulation of instances behind a load balancer, photo by photo."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def poisson(rate: float, photos: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """When photos arrive that know nothing of each other, in seconds, `rate` of them a second."""
    return np.cumsum(rng.exponential(1 / rate, photos))


def simulate(
    arrivals: Sequence[float], services: Sequence[float], instances: int
) -> NDArray[np.float64]:
    """Seconds from each photo's arrival to its answer.

    A photo goes to the instance that has the fewest, which works on one after the other.

    Args:
        arrivals: seconds, ascending.
        services: seconds that each photo takes alone.
        instances: how many there are.
    """
    took: NDArray[np.float64] = np.empty(len(arrivals))
    # When each photo that an instance holds will be answered.
    held: list[deque[float]] = [deque() for _ in range(instances)]
    for photo, (now, service) in enumerate(zip(arrivals, services, strict=True)):
        for answers in held:
            while answers and answers[0] <= now:
                answers.popleft()
        fewest = min(held, key=len)
        fewest.append((fewest[-1] if fewest else now) + service)
        took[photo] = fewest[-1] - now
    return took
