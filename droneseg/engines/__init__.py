"""Engines run the network; there is one file for each runtime."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from droneseg.bundle import Bundle, Probes
from droneseg.errors import EngineMismatch, EngineNotInstalled

# The package to be imported, and the class that runs it.
RUNTIMES = {
    "onnxruntime": "droneseg.engines.onnxruntime:OnnxRuntimeEngine",
    "openvino": "droneseg.engines.openvino:OpenVinoEngine",
}

# The largest difference of a logit that a float32 engine may show, over the largest logit.
LOGIT_TOLERANCE = 1e-4


class Engine(Protocol):
    """A network that turns normalised tiles into logits."""

    @property
    def name(self) -> str:
        """The runtime and its device, such as `onnxruntime-cpu`."""
        ...

    @property
    def precision(self) -> str:
        """What it computes in, such as `float32`."""
        ...

    @property
    def batch_pixels(self) -> int:
        """Pixels of all tiles of a batch that suits the runtime."""
        ...

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits [N, K, H, W] of the tiles [N, C, H, W] into `out`.

        Both are C-contiguous float32; `out` is the caller's, to be used again.
        """
        ...


def installed_runtimes() -> list[str]:
    """Names of the runtimes that are installed here, the one to be preferred first."""
    return [name for name in RUNTIMES if find_spec(name) is not None]


def open_engine(bundle: Bundle, member: int = 0, runtime: str | None = None) -> Engine:
    """Open an engine and let it prove itself on the probe tiles.

    Args:
        bundle: the model.
        member: which of its networks.
        runtime: a name of RUNTIMES; the first one that is installed if None.

    Raises:
        EngineNotInstalled: there is no such runtime here, or none at all.
        EngineMismatch: its logits differ from those that were recorded at the export.
    """
    installed = installed_runtimes()
    name = runtime or next(iter(installed), "onnxruntime")
    if name not in installed:
        known = f"known are {', '.join(RUNTIMES)}; installed here: {', '.join(installed) or 'none'}"
        raise EngineNotInstalled(
            f"the runtime {name} cannot be used ({known}); `pip install onnxruntime` brings one"
        )
    engine = _open(name, bundle.model_path(member))
    check_probes(engine, bundle.probes(member))
    return engine


def _open(runtime: str, model_path: Path) -> Engine:
    """Runtimes are heavy: only the one that is used is imported."""
    module, _, name = RUNTIMES[runtime].partition(":")
    engine: Engine = getattr(import_module(module), name)(model_path)
    return engine


def check_probes(engine: Engine, probes: Probes) -> float:
    """The engine's largest logit difference on the probe tiles, over the largest logit.

    Raises:
        EngineMismatch: it is above LOGIT_TOLERANCE, or not a number.
    """
    tiles = probes.tiles.astype(np.float32)
    heads = probes.logits.shape[1]
    out = np.empty((1, heads, *tiles.shape[2:]), np.float32)
    error = 0.0
    for tile, expected in zip(tiles, probes.logits, strict=True):
        engine.run(tile[None], out)
        sampled = out[0, :, :: probes.stride, :: probes.stride]
        error = np.maximum(error, np.abs(sampled - expected).max() / np.abs(expected).max())
    if not error <= LOGIT_TOLERANCE:
        raise EngineMismatch(
            f"{engine.name} does not reproduce the bundle's probe tiles: its logits differ by "
            f"{error:.1e} of the largest, at most {LOGIT_TOLERANCE:.0e} is allowed"
        )
    return float(error)
