"""Devices: GPUs, each of which gets a runner of its own."""

import os
from contextlib import suppress
from importlib.util import find_spec

import pynvml

# What every CUDA runtime takes its devices from.
VISIBLE = "CUDA_VISIBLE_DEVICES"


def find_gpus() -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES is to be for each GPU that this service may use; none on CPUs.

    Without CuPy, whose arrays all engines for GPUs take, they cannot be used.
    """
    if find_spec("cupy") is None:
        return ()
    return usable_gpus(_count_gpus(), os.environ.get(VISIBLE))


def usable_gpus(count: int, visible: str | None) -> tuple[str, ...]:
    """Of so many GPUs those that CUDA_VISIBLE_DEVICES leaves, by index or UUID.

    As CUDA reads it: what comes after an index that there is not is not visible either.
    """
    if visible is None:
        return tuple(str(index) for index in range(count))
    names: list[str] = []
    for name in (part.strip() for part in visible.split(",")):
        is_device = int(name) < count if name.isdecimal() else name.startswith(("GPU-", "MIG-"))
        if not (count and is_device):
            break
        names.append(name)
    return tuple(names)


def see_only(gpu: str) -> None:
    """Let this process see one GPU alone, before anything of CUDA is loaded."""
    os.environ[VISIBLE] = gpu


def _count_gpus() -> int:
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetCount())
        finally:
            pynvml.nvmlShutdown()
    return 0
