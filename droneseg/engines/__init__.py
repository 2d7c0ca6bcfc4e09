"""Engines run the network; there is one file for each runtime."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from droneseg.bundle import Bundle, Probes
from droneseg.errors import EngineMismatch

# The largest difference of a logit that a float32 engine may show, over the largest logit.
LOGIT_TOLERANCE = 1e-4


class Engine(Protocol):
    """A network that turns normalised tiles into logits."""

    @property
    def name(self) -> str:
        """The runtime and its device, such as `onnxruntime-cpu`."""
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


def open_engine(bundle: Bundle) -> Engine:
    """Open the engine for this machine and let it prove itself on the bundle's probe tiles.

    Raises:
        EngineMismatch: its logits differ from those that were recorded at the export.
    """
    from droneseg.engines.onnxruntime import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(bundle.model_path)
    check_probes(engine, bundle.probes())
    return engine


def check_probes(engine: Engine, probes: Probes) -> float:
    """The engine's largest logit difference on the probe tiles, over the largest logit.

    Raises:
        EngineMismatch: it is above LOGIT_TOLERANCE, or not a number.
    """
    tiles = probes.tiles.astype(np.float32)
    num_classes = probes.logits.shape[1]
    out = np.empty((1, num_classes, *tiles.shape[2:]), np.float32)
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
