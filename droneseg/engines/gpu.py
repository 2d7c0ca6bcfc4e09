"""The first NVIDIA GPU, by way of CuPy.

The pipeline's work goes to CuPy's current stream, the network's to a stream of its own: a CUDA
graph cannot be captured on the default one, on which TensorRT would wait for the GPU besides.
Events put both in order on the GPU, and the host waits for neither until labels are fetched.

Photos go up through the pinned memory that CuPy's `asarray` keeps for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np


def no_gpu() -> str | None:
    """Why arrays cannot lie on an NVIDIA GPU here; None if they can."""
    if find_spec("cupy") is None:
        return "CuPy is not installed; `pip install 'droneseg[gpu]'` brings it"
    import cupy

    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"there is no NVIDIA GPU: {error}"
    if not devices:
        return "there is no NVIDIA GPU"
    try:
        # CuPy compiles what it runs, with libraries that it only looks for then.
        cupy.zeros(1, np.float32) + 1
    except RuntimeError as error:
        return f"CuPy cannot use the GPU: {error}"
    return None


def compute_capability() -> str:
    """Of the GPU, as TensorRT names it: `SM89`."""
    import cupy

    return f"SM{cupy.cuda.Device().compute_capability}"


class SideStream:
    """A stream beside the caller's, which is the current one of CuPy.

    Attributes:
        stream: a cupy.cuda.Stream that does not wait for the default one.
    """

    def __init__(self) -> None:
        """Create it."""
        import cupy

        self.stream = cupy.cuda.Stream(non_blocking=True)
        self._before, self._after = (cupy.cuda.Event(disable_timing=True) for _ in range(2))

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """What is sent to the stream inside begins after the caller's work so far.

        The caller's later work begins after it.
        """
        import cupy

        caller = cupy.cuda.get_current_stream()
        self.stream.wait_event(caller.record(self._before))
        try:
            yield
        finally:
            caller.wait_event(self.stream.record(self._after))


class CudaGraphs:
    """Launches what was sent to a stream before in one call for all of its kernels."""

    def __init__(self, stream: Any, most: int = 64):
        """Start with none.

        Args:
            stream: a cupy.cuda.Stream other than the default one.
            most: how many are kept.
        """
        self._stream = stream
        self._most = most
        # In the order in which they were captured.
        self._graphs: dict[tuple[int, ...], Any] = {}

    def launch(self, key: tuple[int, ...], send: Callable[[], None]) -> None:
        """Do what `send` does.

        Args:
            key: the addresses and sizes on which all that `send` sends depends.
            send: sends work to the stream, the same each time.
        """
        if key in self._graphs:
            self._graphs[key].launch(self._stream)
            return
        # TensorRT does more than run kernels when a shape is new: captured is what comes after.
        send()
        if len(self._graphs) == self._most:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[key] = self._captured(send)

    def _captured(self, send: Callable[[], None]) -> Any:
        # In CuPy's mode, "relaxed", what other threads do meanwhile does not matter.
        self._stream.begin_capture()
        try:
            send()
        finally:
            graph = self._stream.end_capture()
        return graph
