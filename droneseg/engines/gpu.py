"""The GPU, by way of CuPy."""

from importlib.util import find_spec


def no_gpu() -> str | None:
    """Why arrays cannot lie on an NVIDIA GPU here; None if they can."""
    if find_spec("cupy") is None:
        return "CuPy is not installed"
    import cupy

    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"there is no NVIDIA GPU: {error}"
    return None if devices else "there is no NVIDIA GPU"
