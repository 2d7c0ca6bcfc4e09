"""Small photos go past large ones."""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import httpx
import pytest

from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from service.lanes import FairLock
from tests.service.server import Server

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


@pytest.mark.service
def test_a_small_photo_is_answered_before_a_large_one_that_came_first(server: Server) -> None:
    def post(size: int) -> int:
        photo = encode_png(draw_scene(size, size, seed=0))
        answer = httpx.post(f"{server.url}/predict", files={"data": photo}, timeout=120)
        return len(answer.raise_for_status().content)

    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(post, 1200)
        time.sleep(1)
        small = pool.submit(post, 20)
        first, _ = wait((large, small), return_when=FIRST_COMPLETED)
        assert first == {small}
        assert large.result() > small.result()
