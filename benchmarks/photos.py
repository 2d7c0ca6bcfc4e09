"""Photos to measure with: drawn, as drawing is the same everywhere, or from files."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from droneseg.scene import draw_scene


def large_scene(height: int, width: int) -> NDArray[np.uint8]:
    """One scene repeated, uint8 [H, W, 3], as drawing it whole takes longer than the rest."""
    tile = draw_scene(1000, 1000, seed=0)
    repeats = (-(-height // 1000), -(-width // 1000), 1)
    return np.tile(tile, repeats)[:height, :width]


def jpeg(pixels: NDArray[Any]) -> bytes:
    """A JPEG as a camera would write it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
