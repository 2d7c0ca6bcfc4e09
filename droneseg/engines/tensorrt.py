"""TensorRT and TensorRT-RTX: the engine for NVIDIA GPUs, in float16 with float32 norms."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from droneseg import cache
from droneseg.engines.batch_size import batch_sizes
from droneseg.engines.gpu import CudaGraphs, SideStream, compute_capability, no_gpu
from droneseg.engines.tensorrt_build import (
    EngineBuild,
    is_rtx,
    largest_batch,
    targets,
    tensorrt,
    trt_logger,
)
from droneseg.errors import EngineFailed, EngineNotInstalled
from droneseg.mode import Mode, Precision

logger = logging.getLogger(__name__)

# What the export names them.
TILES, LOGITS = "tiles", "logits"


class TensorRtEngine:
    """Runs model.onnx on the first NVIDIA GPU, on arrays that lie there, with a context of its own.

    What an engine runs is sent to the GPU and not waited for.
    """

    def __init__(
        self, model_path: Path, *, precision: Precision = "fp16", threads: int | None = None
    ):
        """Load the network, or build it where the cache has no engine for it; see EngineClass."""
        del threads
        trt = tensorrt()
        self.name = trt.__name__.replace("_", "-")
        self.precision = precision
        build = EngineBuild.of(model_path, precision, compute_capability())
        self._runtime = trt.Runtime(trt_logger())
        self._engine = build.open(self._deserialized)
        _, _, height, width = self._engine.get_tensor_shape(TILES)
        self._largest = largest_batch(height, width)
        self.batch_pixels = self._largest * height * width
        self._kernels = _Kernels(self._engine, build.path) if is_rtx() else None
        settings = (self._kernels.config,) if self._kernels else ()
        self._context = self._engine.create_execution_context(*settings)
        if self._context is None:
            raise EngineFailed(f"{self.name} has no context for {model_path}: too little memory?")
        self._side = SideStream()
        self._graphs = CudaGraphs(self._side.stream)
        self._warm_up()

    @staticmethod
    def unusable() -> str | None:
        """CuPy says whether there is a GPU, TensorRT-RTX which ones it knows."""
        reason = no_gpu()
        if reason:
            return reason
        try:
            tensorrt()
        except EngineNotInstalled as error:
            return error.message
        if is_rtx() and compute_capability() not in targets():
            return (
                f"TensorRT-RTX has no kernels for {compute_capability()}, but for "
                f"{', '.join(targets())}; TensorRT may have"
            )
        return None

    @staticmethod
    def precisions() -> Mapping[Mode, Precision]:
        """What nnU-Net itself computes in on a GPU."""
        return {"exact": "fp16", "fast": "fp16"}

    @property
    def xp(self) -> ModuleType:
        """CuPy."""
        import cupy

        module: ModuleType = cupy
        return module

    def run(self, tiles: Any, out: Any) -> None:
        """Write the logits of the tiles into `out`, both on the GPU; see Engine.

        Raises:
            EngineFailed: the GPU does not take the work.
        """
        with self._side.in_order():
            for first in range(0, len(tiles), self._largest):
                part = slice(first, first + self._largest)
                self._run_batch(tiles[part], out[part])

    def _run_batch(self, tiles: Any, out: Any) -> None:
        send = partial(self._send, tiles, out)
        if is_rtx():
            # It captures graphs by itself.
            send()
        else:
            self._graphs.launch((tiles.data.ptr, out.data.ptr, len(tiles)), send)

    def _send(self, tiles: Any, out: Any) -> None:
        context = self._context
        if not (
            context.set_input_shape(TILES, tiles.shape)
            and context.set_tensor_address(TILES, tiles.data.ptr)
            and context.set_tensor_address(LOGITS, out.data.ptr)
            and context.execute_async_v3(self._side.stream.ptr)
        ):
            raise EngineFailed(f"{self.name} could not run {len(tiles)} tiles; the log has more")

    def _deserialized(self, serialized: bytes | memoryview) -> Any | None:
        """The engine; None if it is not one of this version for this GPU."""
        trt = tensorrt()
        if is_rtx():
            validity, found = self._runtime.get_engine_validity(serialized)
            if validity == trt.EngineValidity.INVALID:
                known = trt.EngineInvalidityDiagnostics.__members__.items()
                reasons = [name for name, flag in known if found & int(flag)]
                logger.warning("an engine is not valid here: %s", ", ".join(reasons) or "unknown")
                return None
        return self._runtime.deserialize_cuda_engine(serialized)

    def _warm_up(self) -> None:
        """Run every batch that may be chosen: TensorRT-RTX compiles kernels for each."""
        for count in batch_sizes(self._largest):
            tiles, out = (
                self.xp.zeros((count, *tuple(self._engine.get_tensor_shape(name))[1:]), np.float32)
                for name in (TILES, LOGITS)
            )
            self.run(tiles, out)
        self._side.stream.synchronize()
        if self._kernels:
            self._kernels.store()


class _Kernels:
    """The kernels that TensorRT-RTX compiles for the GPU at hand, cached beside their engine.

    Attributes:
        config: of the execution context that is to use them.
    """

    def __init__(self, engine: Any, engine_path: Path):
        """Take those that were compiled before; TensorRT-RTX refuses another GPU's or driver's."""
        trt = tensorrt()
        self.config = engine.create_runtime_config()
        self.config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        # Not in the background while slower ones run: every batch has one of few sizes.
        self.config.dynamic_shapes_kernel_specialization_strategy = (
            trt.DynamicShapesKernelSpecializationStrategy.EAGER
        )
        self._path = engine_path.with_suffix(".kernels")
        self._compiled = self.config.create_runtime_cache()
        stored = cache.load(self._path)
        self._known = stored is not None and self._compiled.deserialize(stored)
        self.config.set_runtime_cache(self._compiled)

    def store(self) -> None:
        """Keep them for the next start."""
        if not self._known:
            cache.store(self._path, bytes(self._compiled.serialize()))
