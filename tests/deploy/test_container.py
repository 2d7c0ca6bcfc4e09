"""The image: built from a clone and run as a platform would run it."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from deploy.containers import Container, Images
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png

pytestmark = pytest.mark.container

START_S = 60
STOP_S = 20
RUNNER_GONE_S = 60
QUEUE = "droneseg_queue_photos"
SCENE = draw_scene(300, 400, seed=3)
PHOTO = encode_png(SCENE)
LARGE_PHOTO = encode_png(draw_scene(700, 700, seed=4))


def wait_until(container: Container, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and container.process.poll() is None:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"waited in vain; the log:\n{container.log.read_text()}")


def wait_until_ready(container: Container) -> None:
    wait_until(container, lambda: httpx.get(f"{container.url}/readyz").status_code == 200)


def predict(container: Container, photo: bytes) -> httpx.Response:
    return httpx.post(
        f"{container.url}/predict?render=labels",
        content=photo,
        headers={"Content-Type": "image/png", "Accept": "image/png"},
        timeout=60,
    )


def in_flight(container: Container) -> float:
    """Photos that wait or are worked on."""
    lines = httpx.get(f"{container.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(QUEUE))


def test_ready_within_a_read_only_root_as_an_ordinary_user(
    images: Images, image: str, default_predictor: Predictor
) -> None:
    with images.started(image) as container:
        wait_until_ready(container)
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in container.processes()} == {1034}
        modes = httpx.get(f"{container.url}/model_info").json()["modes"]
        assert modes["exact"] == {"engine": "winograd-cpu", "precision": "fp32"}
        (segmentation,) = default_predictor.segment([SCENE])
        mask = Image.open(BytesIO(predict(container, PHOTO).content))
        assert np.array_equal(np.asarray(mask), segmentation.labels)


def test_sigterm_lets_what_is_in_flight_finish(images: Images, image: str) -> None:
    with images.started(image) as container:
        wait_until_ready(container)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(predict, container, LARGE_PHOTO)
            wait_until(container, lambda: in_flight(container) == 1)
            # Until the runner has it: with nothing to do it would end before the front hands it on.
            time.sleep(1)
            container.terminate()
            assert answer.result().status_code == 200
        assert container.process.wait(STOP_S) == 0


def test_a_missing_model_ends_it_with_a_message(images: Images, image: str) -> None:
    with images.started(image, DRONESEG_MODEL="none") as container:
        assert container.process.wait(START_S) != 0
        assert "bundle_not_found" in container.log.read_text()


def test_a_killed_runner_ends_it(images: Images, image: str) -> None:
    """So that the platform starts another: in a container BentoML would not."""
    with images.started(image) as container:
        wait_until_ready(container)
        (runner,) = (pid for pid, line in container.processes().items() if "DroneSegRunner" in line)
        os.kill(runner, signal.SIGKILL)
        assert container.process.wait(RUNNER_GONE_S) is not None
