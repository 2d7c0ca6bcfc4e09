"""Photos to prove on: drawn ones that meet every path of the sliding window, and the user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droneseg.images import decode_image
from droneseg.preprocess import ImageArray
from droneseg.scene import draw_scene
from export.errors import ExportError

TOP_8_BIT, TOP_16_BIT = 255, 65_535


@dataclass(frozen=True)
class Photo:
    """A photo to prove on, uint8, uint16 or float32 [H, W, C], and what to call it."""

    name: str
    pixels: ImageArray


def drawn_photos(patch_sizes: Sequence[tuple[int, int]], channels: int, top: float) -> list[Photo]:
    """Photos that meet every path of the sliding window.

    Args:
        patch_sizes: height and width in px, of each member of a bundle.
        channels: C.
        top: about the largest value; above 255 the photos are of 16 bits.
    """
    height = max(patch[0] for patch in patch_sizes)
    width = max(patch[1] for patch in patch_sizes)
    drawings = {
        "smaller than the patch": (int(0.7 * height), int(0.8 * width)),
        "many windows, odd size": (2 * height + 33, 2 * width - 17),
        "black borders": (int(1.3 * height), int(1.2 * width)),
    }
    photos = [
        Photo(name, draw_photo(shape, seed, channels, top))
        for seed, (name, shape) in enumerate(drawings.items(), start=1)
    ]
    bordered = photos[-1].pixels
    bordered[: height // 5] = 0
    bordered[:, -width // 7 :] = 0
    return photos


def draw_photo(shape: tuple[int, int], seed: int, channels: int, top: float) -> ImageArray:
    """A scene, uint8 [H, W, C], or uint16 with values up to about `top` if that is above 255."""
    scene = draw_scene(*shape, seed=seed, channels=channels)
    if top <= TOP_8_BIT:
        return scene
    stretched = scene.astype(np.float32) * (top / TOP_8_BIT)
    deep: ImageArray = np.clip(stretched, 0, TOP_16_BIT).astype(np.uint16)
    return deep


def read_photo(path: Path, channels: int) -> Photo:
    """Read an image file, or an array [H, W, C] that numpy.save wrote.

    Raises:
        UnsupportedImage, BrokenImage, WrongChannels: it cannot be read as the model's input.
        ExportError: no array is in the .npy file.
    """
    if path.suffix != ".npy":
        return Photo(path.name, decode_image(path.read_bytes(), channels=channels))
    try:
        return Photo(path.name, np.load(path, allow_pickle=False))
    except ValueError as error:
        raise ExportError(f"{path} holds no array of numbers: {error}") from error
