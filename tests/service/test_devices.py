"""A worker for each GPU, or one for the CPU."""

import os
import warnings

import pytest

with warnings.catch_warnings():
    # What BentoML warns of when it is imported.
    warnings.simplefilter("ignore")
    from service.devices import VISIBLE, find_gpus, take_gpu, usable_gpus


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
