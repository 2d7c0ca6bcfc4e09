"""How quiet the machine is: what processes that are not ours take from a measurement."""

import time

import psutil


class Others:
    """The processor time of all processes but this one and its children."""

    def __init__(self) -> None:
        """Begin now."""
        self._started_s = time.perf_counter()
        self._before_s = _of_others_s()

    def share(self) -> float:
        """Of all cores since the beginning, with what a hypervisor gave to other machines."""
        passed_s = time.perf_counter() - self._started_s
        used_s = _of_others_s() - self._before_s
        return max(0.0, used_s / (passed_s * (psutil.cpu_count() or 1)))


def _of_others_s() -> float:
    times = psutil.cpu_times()
    busy_s: float = sum(times) - times.idle - getattr(times, "iowait", 0.0)
    # Linux counts the time of guests twice.
    busy_s -= getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    here = psutil.Process()
    ours = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    # A child's time goes to its parent's `children` when it ends.
    ours_s: float = sum(
        spent.user + spent.system + spent.children_user + spent.children_system for spent in ours
    )
    return busy_s - ours_s
