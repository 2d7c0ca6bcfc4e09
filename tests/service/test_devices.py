"""A runner for each GPU, or one for the CPU."""

import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import httpx
import pytest

from benchmarks.serving.server import serving
from droneseg.bundle import Bundle
from droneseg.mode import Mode
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png

with warnings.catch_warnings():
    # What BentoML warns of when it is imported.
    warnings.simplefilter("ignore")
    from service.devices import VISIBLE, find_gpus, see_only, usable_gpus


@pytest.mark.parametrize(
    ("count", "visible", "gpus"),
    [
        (0, None, ()),
        (0, "0", ()),
        (1, None, ("0",)),
        (4, None, ("0", "1", "2", "3")),
        (4, "2, 0", ("2", "0")),
        (4, "", ()),
        (4, "-1", ()),
        (4, "1,-1,2", ("1",)),
        (2, "1,7,0", ("1",)),
        (2, "GPU-8932f937,MIG-4c5a", ("GPU-8932f937", "MIG-4c5a")),
        (2, "NoDevFiles", ()),
    ],
)
def test_gpus_are_those_that_cuda_would_see(
    count: int, visible: str | None, gpus: tuple[str, ...]
) -> None:
    assert usable_gpus(count, visible) == gpus


def test_a_runner_sees_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "2,0")
    see_only("0")
    assert os.environ[VISIBLE] == "0"


def test_without_cupy_there_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    assert find_gpus() == ()


@pytest.mark.service
def test_on_two_gpus_two_runners_are_warm_and_both_are_used(two_folds_bundle: Bundle) -> None:
    photo = encode_png(draw_scene(60, 80, seed=0))
    with serving("tests.service.two_gpus:DroneSeg", two_folds_bundle.path) as client:
        warm = calls(client)
        assert set(warm) == {"DroneSegRunner", "DroneSegRunner2"}
        assert min(warm.values()) >= len(get_args(Mode))
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda _: client.post("/predict", files={"data": photo}), range(8))
            assert {answer.status_code for answer in answers} == {200}
        now = calls(client)
        assert all(now[runner] > warm[runner] for runner in warm)


def calls(client: httpx.Client) -> dict[str, float]:
    """How many each runner had, by BentoML's counter."""
    found = re.findall(
        r'request_total\{endpoint="/segment",.*runner_name="(\w+)".*\} (\S+)',
        client.get("/metrics").text,
    )
    counted: dict[str, float] = {}
    for runner, count in found:
        counted[runner] = counted.get(runner, 0) + float(count)
    return counted
