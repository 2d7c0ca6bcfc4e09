"""The probe tiles of a bundle, which an engine has to reproduce before it serves."""

from typing import TYPE_CHECKING

import numpy as np

from droneseg.arrays import to_numpy
from droneseg.bundle import Probes
from droneseg.errors import EngineMismatch
from droneseg.mode import Precision

if TYPE_CHECKING:
    from droneseg.engines import Engine

# The largest difference of a logit over the largest logit: what nnU-Net's parity allows in fp32,
# and ten times what was seen of a working engine in the others. A broken one is off by far more.
LOGIT_TOLERANCES: dict[Precision, float] = {
    "fp32": 1e-4,
    "fp16": 2e-2,
    "bf16": 1e-1,
    "int16": 1e-1,
}


def check_probes(engine: "Engine", probes: Probes) -> float:
    """The engine's largest logit difference on the probe tiles, over the largest logit.

    Raises:
        EngineMismatch: it is above what its precision explains, or not a number.
    """
    tiles = engine.xp.asarray(probes.tiles.astype(np.float32))
    heads = probes.logits.shape[1]
    out = engine.xp.empty((1, heads, *tiles.shape[2:]), np.float32)
    error = 0.0
    for tile, expected in zip(tiles, probes.logits, strict=True):
        # Nothing that is there by chance passes for an answer.
        out.fill(np.nan)
        engine.run(tile[None], out)
        sampled = to_numpy(out)[0, :, :: probes.stride, :: probes.stride]
        error = np.maximum(error, np.abs(sampled - expected).max() / np.abs(expected).max())
    tolerance = LOGIT_TOLERANCES[engine.precision]
    if not error <= tolerance:
        raise EngineMismatch(
            f"{engine.name} does not reproduce the bundle's probe tiles: its logits differ by "
            f"{error:.1e} of the largest, at most {tolerance:.0e} is allowed in {engine.precision}"
        )
    return float(error)
