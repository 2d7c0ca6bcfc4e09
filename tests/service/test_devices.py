"""A worker for each GPU, or one for the CPU."""

import os
import re
import warnings

import pytest

from benchmarks.serving.server import serving
from droneseg.bundle import Bundle
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png

with warnings.catch_warnings():
    # What BentoML warns of when it is imported.
    warnings.simplefilter("ignore")
    from service.devices import VISIBLE, find_gpus, take_gpu, usable_gpus
    from service.runner_link import WARM_UP_CALLS


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


def test_each_worker_sees_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "2,0")
    for worker_index, gpu in ((1, "2"), (2, "0")):
        assert take_gpu(("2", "0"), worker_index) == os.environ[VISIBLE] == gpu


def test_the_cpu_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    assert find_gpus() == ()
    assert take_gpu((), 1) is None
    assert VISIBLE not in os.environ


@pytest.mark.service
def test_on_two_gpus_two_workers_are_warm_when_the_service_is_ready(
    two_folds_bundle: Bundle,
) -> None:
    with serving("tests.service.two_gpus:DroneSeg", two_folds_bundle.path) as client:
        metrics = client.get("/metrics").text
        batches = {
            worker: float(count)
            for worker, count in re.findall(
                r'adaptive_batch_size_count\{.*worker_index="(\d)".*\} (\S+)', metrics
            )
        }
        assert set(batches) == {"1", "2"}
        assert min(batches.values()) >= WARM_UP_CALLS
        photo = encode_png(draw_scene(20, 30, seed=0))
        answers = [client.post("/predict", files={"data": photo}) for _ in range(4)]
        assert {answer.status_code for answer in answers} == {200}
