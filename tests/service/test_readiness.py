"""When the service says that it is ready, and what it says when it cannot be."""

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import get_args

import httpx
import numpy as np
import pytest

from droneseg.bundle import Bundle, Probes, sha256
from droneseg.mode import Mode
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.service.server import STOP_S, serve

pytestmark = pytest.mark.service


BATCHES = "droneseg_batch_photos_count"
PHOTO = {"data": ("a.png", encode_png(draw_scene(20, 20, seed=0)))}


def batches(metrics: str) -> float:
    """How many batches the network has had."""
    (line,) = (line for line in metrics.splitlines() if line.startswith(f"{BATCHES} "))
    return float(line.split()[-1])


def test_ready_only_after_the_warm_up(two_folds_bundle: Bundle, tmp_path: Path) -> None:
    with serve(tmp_path, DRONESEG_MODEL=str(two_folds_bundle.path)) as server:
        statuses = server.wait_until_ready()
        assert 503 in statuses
        assert statuses[-1] == 200
        assert "ready: model two_folds" in server.log.read_text()
        assert batches(httpx.get(f"{server.url}/metrics").text) >= len(get_args(Mode))
    assert server.process.returncode == 0


def test_a_missing_model_ends_the_server_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with serve(tmp_path, DRONESEG_MODEL=str(tmp_path / "none")) as server:
        assert server.process.wait(STOP_S) != 0
        log = server.log.read_text()
        assert "make model" in log
        assert "DRONESEG_MODEL" in log


def test_requests_during_the_warm_up_are_told_to_wait(
    default_bundle: Bundle, tmp_path: Path
) -> None:
    with serve(tmp_path, DRONESEG_MODEL=str(default_bundle.path)) as server:
        server.wait_until(lambda: httpx.get(f"{server.url}/livez").status_code == 200)
        answer = httpx.post(f"{server.url}/predict", files=PHOTO, timeout=60)
        assert answer.status_code == 503
        assert answer.json()["code"] == "model_not_ready"


def test_a_request_whose_runner_dies_is_told_so_and_the_next_one_succeeds(
    two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    large = {"data": ("a.png", encode_png(draw_scene(1500, 1500, seed=0)))}
    with serve(tmp_path, DRONESEG_MODEL=str(two_folds_bundle.path)) as server:
        server.wait_until_ready()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(httpx.post, f"{server.url}/predict", files=large, timeout=60)
            time.sleep(1.5)
            assert not waiting.done()
            os.kill(server.runner_pid, signal.SIGKILL)
            answer = waiting.result()
        assert (answer.status_code, answer.json().get("code")) == (503, "model_not_ready")
        # BentoML starts it again.
        server.wait_until_ready()
        assert httpx.post(f"{server.url}/predict", files=PHOTO, timeout=60).status_code == 200


def test_a_runner_that_hangs_ends_the_server(two_folds_bundle: Bundle, tmp_path: Path) -> None:
    model = str(two_folds_bundle.path)
    with serve(tmp_path, DRONESEG_MODEL=model, DRONESEG_RUNNER_GRACE_S="2") as server:
        server.wait_until_ready()
        os.kill(server.runner_pid, signal.SIGSTOP)
        server.wait_until(lambda: httpx.get(f"{server.url}/livez", timeout=10).status_code == 503)
        server.process.wait(STOP_S)
        assert "no word from the runner for 2 s" in server.log.read_text()


def test_a_model_that_does_not_reproduce_its_probes_never_gets_ready(
    two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    """The files are as the plan says, but the engine's logits are not."""
    folder = Path(shutil.copytree(two_folds_bundle.path, tmp_path / "wrong"))
    probes = two_folds_bundle.probes()
    Probes(probes.tiles, probes.logits + np.float32(1), probes.stride).save(folder / "probes.npz")
    files = {**two_folds_bundle.plan.files, "probes.npz": sha256(folder / "probes.npz")}
    replace(two_folds_bundle.plan, files=files).sealed().save(folder / "plan.json")
    with serve(tmp_path, DRONESEG_MODEL=str(folder)) as server:
        server.wait_until(lambda: "does not reproduce" in server.log.read_text())
        assert httpx.get(f"{server.url}/readyz", timeout=10).status_code == 503
