"""WinogradEngine: our own float32 convolutions, for processors with AVX2 or AVX-512."""

import platform
import weakref
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from droneseg.engines.winograd.graph import Graph
from droneseg.engines.winograd.library import PATH, library
from droneseg.engines.winograd.program import Program, aligned
from droneseg.errors import EngineNotInstalled
from droneseg.machine import available_cores, float32_lanes
from droneseg.mode import Mode, Precision


class WinogradEngine:
    """Runs the convolutions of an nnU-Net on all cores, a tile after the other.

    Those of 3 x 3 are Winograd's, with a quarter of the multiplications, and norms and activations
    are computed on the way: float32 as fast as other runtimes' bfloat16. The logits are the same
    to the last bit for any number of threads.
    """

    name = "winograd-cpu"
    precision: Precision = "fp32"
    xp = np

    def __init__(
        self, model_path: Path, *, precision: Precision = "fp32", threads: int | None = None
    ):
        """Read the network and order its weights; see EngineClass."""
        if precision != "fp32":
            raise EngineNotInstalled(f"the runtime winograd cannot compute in {precision}")
        threads, lanes = threads or available_cores(), float32_lanes()
        self._library = library()
        graph = Graph(model_path)
        self.batch_pixels = graph.tile.height * graph.tile.width
        self._program = Program(graph, lanes, threads)
        self._scratch = aligned(self._program.scratch_bytes // 4)
        self._crew = self._library.winograd_new(threads, lanes, self._program.scratch_bytes)
        if self._crew is None:
            raise MemoryError(f"there is no room for {threads} threads")
        weakref.finalize(self, self._library.winograd_free, self._crew)
        self._lock = Lock()

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
        """float32 always."""
        return {"exact": "fp32", "fast": "fp32"}

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits of the tiles into `out`; see Engine."""
        steps = self._program.steps
        with self._lock:
            for tile, logits in zip(tiles, out, strict=True):
                self._program.bind(tile, logits)
                self._library.winograd_run(self._crew, steps, len(steps), self._scratch.ctypes.data)
