"""Engines run the network; there is one file for each runtime, and a folder for our own."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.engines.probes import check_probes
from droneseg.errors import (
    DroneSegError,
    EngineFailed,
    EngineMismatch,
    EngineNotInstalled,
    UnsupportedNetwork,
)
from droneseg.machine import has_amx
from droneseg.mode import Mode, Precision

# Both runtimes would tell their makers what they run, ONNX Runtime the hashes and names in a graph.
# OpenVINO does without the package that does so.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """A network that turns normalised tiles into logits."""

    @property
    def name(self) -> str:
        """The runtime and its device, such as `onnxruntime-cpu`."""
        ...

    @property
    def precision(self) -> Precision:
        """What it computes in, such as `fp32`."""
        ...

    @property
    def batch_pixels(self) -> int:
        """Pixels of all tiles of the largest batch that suits the runtime and its memory."""
        ...

    @property
    def xp(self) -> ModuleType:
        """The library of its arrays: numpy, or cupy on a GPU."""
        ...

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits [N, K, H, W] of the tiles [N, C, H, W] into `out`.

        Both are C-contiguous float32 arrays of `xp`; `out` is the caller's, to be used again.
        """
        ...


@runtime_checkable
class MirroringEngine(Engine, Protocol):
    """An engine that makes mirror images without copies."""

    def add_mirrored(
        self, tiles: NDArray[np.float32], out: NDArray[np.float32], axes: Sequence[int]
    ) -> None:
        """Mirror the tiles [N, C, H, W], and add their logits, mirrored back, to `out`.

        `axes` has 0 for rows, 1 for columns; else as `Engine.run`.
        """
        ...


class EngineClass(Protocol):
    """How an engine is made."""

    @staticmethod
    def unusable() -> str | None:
        """Why this runtime cannot run here, such as a device that is not there; None if it can."""
        ...

    @staticmethod
    def precisions() -> Mapping[Mode, Precision]:
        """What suits each mode on this machine."""
        ...

    def __call__(self, model_path: Path, *, precision: Precision, threads: int | None) -> Engine:
        """Load a model.onnx: one input and one output, [N, ., H, W] float32.

        Raises:
            EngineNotInstalled: the runtime cannot compute in this precision here.
            UnsupportedNetwork: it does not compute such a network at all.
            EngineFailed: it cannot load the model.
        """
        ...


class Runtime(NamedTuple):
    """Where a runtime is found.

    Attributes:
        packages: of which one is enough.
        engine: the class that runs it.
        extra: of ours, which brings it.
    """

    packages: tuple[str, ...]
    engine: str
    extra: str


# The one to be preferred first.
RUNTIMES = {
    "tensorrt": Runtime(
        ("tensorrt", "tensorrt_rtx"), "droneseg.engines.tensorrt:TensorRtEngine", "gpu"
    ),
    "onnxruntime-cuda": Runtime(
        ("onnxruntime",), "droneseg.engines.onnxruntime:OnnxRuntimeCudaEngine", "gpu"
    ),
    "winograd": Runtime(("onnx",), "droneseg.engines.winograd.engine:WinogradEngine", "cpu"),
    "openvino": Runtime(("openvino",), "droneseg.engines.openvino:OpenVinoEngine", "cpu"),
    "onnxruntime": Runtime(
        ("onnxruntime",), "droneseg.engines.onnxruntime:OnnxRuntimeEngine", "cpu"
    ),
}
AMX_RUNTIME = "openvino"


def unusable(runtime: str) -> str | None:
    """Why a runtime cannot be used on this machine; None if it can."""
    if runtime not in RUNTIMES:
        return f"it is not known; known are {', '.join(RUNTIMES)}"
    packages, _, extra = RUNTIMES[runtime]
    if all(find_spec(package) is None for package in packages):
        return f"it is not installed; `pip install 'droneseg[{extra}]'` brings it"
    try:
        return _engine_class(runtime).unusable()
    except (ImportError, OSError) as error:
        return f"it cannot be loaded: {error}"


def installed_runtimes() -> list[str]:
    """Names of the runtimes that are installed and have their device, the preferred one first."""
    return [name for name in RUNTIMES if unusable(name) is None]


def open_engine(  # noqa: PLR0913 - a choice each
    bundle: Bundle,
    member: int = 0,
    runtime: str | None = None,
    *,
    mode: Mode = "exact",
    precision: Precision | None = None,
    threads: int | None = None,
) -> Engine:
    """Open an engine and let it prove itself on the probe tiles.

    Args:
        bundle: the model.
        member: which of its networks.
        runtime: a name of RUNTIMES; if None the first one that proves itself, where a runtime
            that does not is logged with its reason.
        mode: decides the precision, if that is None.
        precision: what to compute in.
        threads: for the CPU; all cores that this process may use if None.

    Raises:
        EngineNotInstalled: there is no such runtime or precision here, or none at all.
        UnsupportedNetwork: it was asked for, and does not compute such a network.
        EngineFailed: it has its device, but cannot load the model.
        EngineMismatch: its logits differ from those that were recorded at the export.
    """
    if runtime is not None:
        return _open(bundle, member, runtime, precision or _precision(runtime, mode), threads)
    missing: list[str] = []
    failed: list[EngineFailed | EngineMismatch] = []
    for name, suited in _choices(mode):
        try:
            return _open(bundle, member, name, precision or suited, threads)
        except EngineNotInstalled as error:
            logger.debug("%s", error)
            missing.append(error.message)
        except UnsupportedNetwork as error:
            logger.info("%s", error)
            missing.append(error.message)
        except (EngineFailed, EngineMismatch) as error:
            logger.warning("%s", error)
            failed.append(error)
    if failed:
        raise failed[0]
    raise EngineNotInstalled("no runtime can be used: " + "; ".join(missing))


def best_choice(mode: Mode) -> tuple[str, Precision]:
    """The runtime that is tried first for a mode on this machine, and its precision.

    Raises:
        EngineNotInstalled: there is none.
    """
    for name, precision in _choices(mode):
        if precision is not None:
            return name, precision
    raise EngineNotInstalled(f"no runtime can be used: install one of {', '.join(RUNTIMES)}")


def _choices(mode: Mode) -> Iterator[tuple[str, Precision | None]]:
    """Runtimes, the fastest first, with their precisions, which are None where they cannot run.

    One by one, as to ask a runtime is to import it.
    """
    names = list(RUNTIMES)
    # Of matrices of bfloat16 a processor with AMX multiplies many more.
    if mode == "fast" and has_amx():
        names.remove(AMX_RUNTIME)
        names.insert(names.index("winograd"), AMX_RUNTIME)
    for name in names:
        yield name, _precision(name, mode)


def _open(
    bundle: Bundle, member: int, runtime: str, precision: Precision | None, threads: int | None
) -> Engine:
    reason = unusable(runtime)
    if reason or precision is None:
        raise EngineNotInstalled(f"the runtime {runtime} cannot be used: {reason}")
    make = _engine_class(runtime)
    try:
        engine = make(bundle.model_path(member), precision=precision, threads=threads)
        check_probes(engine, bundle.probes(member))
    except DroneSegError:
        raise
    except Exception as error:  # Each runtime and CuPy have errors of their own.
        raise EngineFailed(f"{runtime} failed: {type(error).__name__}: {error}") from error
    return engine


def _precision(runtime: str, mode: Mode) -> Precision | None:
    return None if unusable(runtime) else _engine_class(runtime).precisions()[mode]


def _engine_class(runtime: str) -> EngineClass:
    """Runtimes are heavy: only the one that is used is imported."""
    module, _, name = RUNTIMES[runtime].engine.partition(":")
    found: EngineClass = getattr(import_module(module), name)
    return found
