"""WinogradEngine: our own convolutions, for processors with AVX2 or AVX-512."""

import os
import platform
import weakref
from collections.abc import Mapping, Sequence
from ctypes import CDLL
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from droneseg.engines.winograd.graph import Graph
from droneseg.engines.winograd.library import PATH, library
from droneseg.engines.winograd.program import Program, aligned
from droneseg.errors import EngineFailed, EngineNotInstalled
from droneseg.machine import available_cores, float32_lanes, has_vnni
from droneseg.mode import Mode, Precision


class WinogradEngine:
    """Runs the convolutions of an nnU-Net on all cores, a tile after the other.

    Those of 3 x 3 are Winograd's, with a quarter of the multiplications, and norms and activations
    are computed on the way: float32 as fast as other runtimes' bfloat16. In int16 the factors are
    integers of as many bits as the sums leave room for, 12 to 16 with the sign. The logits are the
    same to the last bit for any number of threads.
    """

    name = "winograd-cpu"
    xp = np

    def __init__(
        self, model_path: Path, *, precision: Precision = "fp32", threads: int | None = None
    ):
        """Read the network and order its weights; see EngineClass."""
        if precision not in {"fp32", "int16"}:
            raise EngineNotInstalled(f"the runtime winograd cannot compute in {precision}")
        if precision == "int16" and not has_vnni():
            raise EngineNotInstalled(
                "the runtime winograd cannot compute in int16: the processor has no AVX-512 VNNI"
            )
        self.precision: Precision = precision
        threads, lanes = threads or available_cores(), float32_lanes()
        self._library = library()
        graph = Graph(model_path)
        self._tile, self._logits = graph.tile_shape, graph.logits_shape
        self.batch_pixels = graph.tile.height * graph.tile.width
        self._program = Program(graph, lanes, threads, integers=precision == "int16")
        self._scratch = aligned(self._program.scratch_bytes // 4)
        self._crew = self._library.winograd_new(threads, lanes, self._program.scratch_bytes)
        if self._crew is None:
            raise MemoryError(f"there is no room for {threads} threads")
        self._lock, self._process = Lock(), os.getpid()
        # Not at exit, when a daemon thread may still be in `run`.
        weakref.finalize(self, _free, self._library, self._crew, self._process).atexit = False

    @staticmethod
    def unusable() -> str | None:
        """It wants a compiled library, and a processor with AVX2."""
        if not PATH.is_file():
            return (
                "it was not compiled: install DroneSeg again where there is a C compiler "
                f"(here: {platform.system()} on {platform.machine()}; x86-64 Linux is supported)"
            )
        library()
        return None if float32_lanes() else "the processor has no AVX2"

    @staticmethod
    def precisions() -> Mapping[Mode, Precision]:
        """Of 16 bits the processors that have the instructions multiply twice as many."""
        return {"exact": "fp32", "fast": "int16" if has_vnni() else "fp32"}

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits of the tiles into `out`; see Engine.

        Raises:
            ValueError: an array has another shape or dtype, or is not contiguous.
            EngineFailed: this process was forked off the one that opened the engine.
        """
        self._run(tiles, out, (), add=False)

    def add_mirrored(
        self, tiles: NDArray[np.float32], out: NDArray[np.float32], axes: Sequence[int]
    ) -> None:
        """Add the logits of the tiles' mirror images to `out`, as they are read and written.

        See MirroringEngine; raises what `run` raises.
        """
        self._run(tiles, out, axes, add=True)

    def _run(
        self,
        tiles: NDArray[np.float32],
        out: NDArray[np.float32],
        axes: Sequence[int],
        *,
        add: bool,
    ) -> None:
        _require("tiles", tiles, (len(tiles), *self._tile))
        _require("logits", out, (len(tiles), *self._logits))
        if os.getpid() != self._process:
            raise EngineFailed("winograd's threads are not in a forked process: open it there")
        steps = self._program.steps
        with self._lock:
            for tile, logits in zip(tiles, out, strict=True):
                self._program.bind(tile, logits, axes, add=add)
                self._library.winograd_run(self._crew, steps, len(steps), self._scratch.ctypes.data)


def _free(library: CDLL, crew: int, process: int) -> None:
    """End the threads, which a forked process does not have."""
    if os.getpid() == process:
        library.winograd_free(crew)


def _require(what: str, array: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """The library is given addresses alone, and would read and write beyond other arrays' ends."""
    if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError(
            f"{what} must be contiguous float32 {list(shape)}, but are {array.dtype} "
            f"{list(array.shape)}"
        )
