"""TensorRT engines: built, or taken from the cache if they were built before.

TensorRT-RTX builds them without a GPU, for any that it knows.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as once
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from droneseg import cache
from droneseg.engines.typed_onnx import typed_onnx
from droneseg.errors import EngineFailed, EngineNotInstalled
from droneseg.mode import Precision

# The one to be preferred first: TensorRT runs on every GPU, TensorRT-RTX not on all.
PACKAGES = ("tensorrt", "tensorrt_rtx")
# Releases of TensorRT, the last one excluded. 11 is typed strongly without being asked to.
SUPPORTED = (10, 13), (12, 0)
# Pixels of the tiles of the largest batch. Not measured.
BATCH_PIXELS = 8 * 384 * 384

logger = logging.getLogger(__name__)
Opened = TypeVar("Opened")


@once
def tensorrt() -> ModuleType:
    """TensorRT or TensorRT-RTX, which have the same names in them.

    Raises:
        EngineNotInstalled: neither is installed, or this version of TensorRT is not supported.
    """
    name = next((package for package in PACKAGES if find_spec(package)), None)
    if name is None:
        raise EngineNotInstalled(
            "TensorRT is not installed; `pip install 'droneseg[gpu]'` brings TensorRT-RTX"
        )
    module = import_module(name)
    oldest, too_new = SUPPORTED
    release = tuple(int(part) for part in module.__version__.split(".")[:2])
    if name == "tensorrt" and not oldest <= release < too_new:
        raise EngineNotInstalled(
            f"TensorRT {module.__version__} is not supported: it must be >=10.13,<12"
        )
    return module


def is_rtx() -> bool:
    """Whether it is TensorRT-RTX."""
    return tensorrt().__name__ == "tensorrt_rtx"


def targets() -> tuple[str, ...]:
    """Compute capabilities that engines can be built for without such a GPU: `SM89` and so on."""
    if not is_rtx():
        return ()
    return tuple(name for name in dir(tensorrt().ComputeCapability) if name.startswith("SM"))


@once
def trt_logger() -> Any:
    """Hands what TensorRT says on to `logging`; one for the process, as TensorRT wants it."""
    trt = tensorrt()
    levels = {
        trt.ILogger.Severity.INTERNAL_ERROR: logging.ERROR,
        trt.ILogger.Severity.ERROR: logging.ERROR,
        trt.ILogger.Severity.WARNING: logging.WARNING,
        trt.ILogger.Severity.INFO: logging.DEBUG,
    }

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in levels:
                logger.log(levels[severity], "TensorRT: %s", message)

    return Logger()


@dataclass(frozen=True)
class EngineBuild:
    """What an engine is built from, and for.

    Attributes:
        model_path: model.onnx, beside whose weights may lie.
        onnx: the same with the types of the precision.
        target: a compute capability, `SM89`.
    """

    model_path: Path
    precision: Precision
    onnx: bytes
    target: str

    @classmethod
    def of(cls, model_path: Path, precision: Precision, target: str) -> "EngineBuild":
        """Read the model.

        Raises:
            EngineNotInstalled: it cannot be had in this precision.
        """
        return cls(model_path, precision, typed_onnx(model_path, precision), target)

    @property
    def path(self) -> Path:
        """Where it is cached: the name holds all that an engine depends on.

        The hash is that of the typed model. Weights beside it are not in there, but those of the
        checkpoints that they came from are, in the model's metadata.
        """
        digest = hashlib.sha256(self.onnx).hexdigest()
        trt = tensorrt()
        described = (self.precision, f"{BATCH_PIXELS}px", trt.__name__, trt.__version__)
        parts = (digest, *described, self.target)
        return cache.cache_folder("tensorrt") / f"{'-'.join(parts)}.engine"

    def open(self, accept: Callable[[bytes | memoryview], Opened | None]) -> Opened:
        """What `accept` makes of the engine: of the cached one, or else of one that is built now.

        Args:
            accept: gives None for an engine that does not fit this machine.

        Raises:
            EngineFailed: it cannot be built, or the one just built is not accepted.
        """
        cached = cache.load(self.path)
        if cached is not None:
            opened = accept(cached)
            if opened is not None:
                return opened
            logger.warning("the cached %s does not fit this machine; it is built again", self.path)
        built = self.build()
        cache.store(self.path, built)
        opened = accept(built)
        if opened is None:
            raise EngineFailed(f"{tensorrt().__name__} cannot load the engine that it has built")
        return opened

    def build(self) -> bytes:
        """The serialized engine, for any batch up to the largest.

        Raises:
            EngineFailed: TensorRT cannot build it.
        """
        trt = tensorrt()
        builder = trt.Builder(trt_logger())
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, trt_logger())
        if not parser.parse(self.onnx, str(self.model_path)):
            errors = (parser.get_error(index) for index in range(parser.num_errors))
            reasons = "; ".join(f"{error.node_operator()}: {error.desc()}" for error in errors)
            raise EngineFailed(f"{trt.__name__} cannot read {self.model_path}: {reasons}")
        engine = builder.build_serialized_network(network, self._config(builder, network))
        if engine is None:
            raise EngineFailed(f"{trt.__name__} cannot build {self.model_path} for {self.target}")
        return bytes(engine)

    def _config(self, builder: Any, network: Any) -> Any:
        trt = tensorrt()
        config = builder.create_builder_config()
        # The default: 10 bits of mantissa, too few.
        config.clear_flag(trt.BuilderFlag.TF32)
        if is_rtx():
            config.num_compute_capabilities = 1
            config.set_compute_capability(getattr(trt.ComputeCapability, self.target), 0)
        tiles = network.get_input(0)
        _, channels, height, width = tiles.shape
        smallest, largest = (
            (count, channels, height, width) for count in (1, largest_batch(height, width))
        )
        profile = builder.create_optimization_profile()
        # Tuned for the largest, on which the choice of a batch size begins.
        profile.set_shape(tiles.name, smallest, largest, largest)
        config.add_optimization_profile(profile)
        return config


def largest_batch(height: int, width: int) -> int:
    """Tiles of a patch size in the largest batch of an engine."""
    return max(1, BATCH_PIXELS // (height * width))
