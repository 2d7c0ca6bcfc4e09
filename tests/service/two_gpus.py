"""The service on a machine of two GPUs as far as BentoML can see; it computes on the CPU."""

import importlib.util
from importlib.machinery import ModuleSpec

import pynvml

find_spec = importlib.util.find_spec


def find_cupy_too(name: str, package: str | None = None) -> ModuleSpec | None:
    """CuPy seems to be installed; when it is imported it is not, and the next engine is taken."""
    return ModuleSpec(name, None) if name == "cupy" else find_spec(name, package)


importlib.util.find_spec = find_cupy_too
pynvml.nvmlInit = pynvml.nvmlShutdown = lambda: None
pynvml.nvmlDeviceGetCount = lambda: 2

from service import DroneSeg  # noqa: E402 - the number of workers is decided on import

__all__ = ["DroneSeg"]
