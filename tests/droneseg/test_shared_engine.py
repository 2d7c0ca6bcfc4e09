"""Turns on an engine that is shared."""

import threading
import time

from droneseg.engines.shared import FairLock

WAIT_S = 10


def test_a_fair_lock_goes_to_whoever_waited_longest() -> None:
    lock = FairLock()
    order: list[int] = []

    def take(number: int) -> None:
        with lock:
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with lock:
        for number, thread in enumerate(threads, start=1):
            thread.start()
            deadline = time.monotonic() + WAIT_S
            while lock.waiting < number and time.monotonic() < deadline:
                time.sleep(0.001)
        assert order == []
    for thread in threads:
        thread.join(WAIT_S)
    assert order == [0, 1, 2, 3, 4]
    with lock:
        assert lock.waiting == 0
