"""Modes: nnU-Net's own settings, or faster ones that give other labels here and there."""

from typing import Literal

Mode = Literal["exact", "fast"]
# The number formats that a network can be run in; sums and norms stay wider where they must.
Precision = Literal["fp32", "fp16", "bf16", "int16"]

# Of a patch; nnU-Net steps by a half. Half as many windows.
FAST_TILE_STEP_SIZE = 0.75
