"""Small photos go past large ones."""

import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import httpx
import pytest

from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.service.server import Server


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
