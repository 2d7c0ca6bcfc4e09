"""Photos to prove on: drawn ones that meet every path of the sliding window, and the user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO

from droneseg.images import decode_image
from droneseg.normalization import ImageArray
from droneseg.plan import Channel
from droneseg.preprocess import preprocess
from droneseg.scene import draw_scene
from export.errors import ExportError

TOP_8_BIT, TOP_16_BIT = 255, 65_535
# Pixels whose largest values are below are reflectances or the like, not integers.
TOP_FRACTIONS = 32
# What NaturalImage2DIO reads, by the name of the file.
NNUNET_SUFFIXES = (".png", ".bmp", ".tif")


@dataclass(frozen=True)
class Photo:
    """A photo to prove on, uint8, uint16 or float32 [H, W, C], and what to call it."""

    name: str
    pixels: ImageArray


def drawn_photos(patch_sizes: Sequence[tuple[int, int]], tops: Sequence[float]) -> list[Photo]:
    """Photos that meet every path of the sliding window.

    Args:
        patch_sizes: height and width in px, of each member of a bundle.
        tops: about the largest value of each channel.
    """
    height = max(patch[0] for patch in patch_sizes)
    width = max(patch[1] for patch in patch_sizes)
    drawings = {
        "smaller than the patch": (int(0.7 * height), int(0.8 * width)),
        "many windows, odd size": (2 * height + 33, 2 * width - 17),
        "black borders": (int(1.3 * height), int(1.2 * width)),
    }
    photos = [
        Photo(name, draw_photo(shape, seed, tops))
        for seed, (name, shape) in enumerate(drawings.items(), start=1)
    ]
    bordered = photos[-1].pixels
    bordered[: height // 5] = 0
    bordered[:, -width // 7 :] = 0
    return photos


def draw_photo(shape: tuple[int, int], seed: int, tops: Sequence[float]) -> ImageArray:
    """A scene [H, W, len(tops)] with values up to about `tops`.

    uint8 for channels of 8 bits, uint16 if any has more, float32 if any has fractions.
    """
    scene = draw_scene(*shape, seed=seed, channels=len(tops))
    if min(tops) > TOP_FRACTIONS and max(tops) <= TOP_8_BIT:
        return scene
    scale = np.array(tops, np.float32) / np.float32(TOP_8_BIT)
    stretched = scene.astype(np.float32) * scale
    if min(tops) > TOP_FRACTIONS and max(tops) <= TOP_16_BIT:
        return stretched.astype(np.uint16)
    return stretched


def read_photo(path: Path, channels: Sequence[Channel]) -> Photo:
    """Read an image file, or an array [H, W, C] that numpy.save wrote.

    Raises:
        UnsupportedImage, BrokenImage, WrongChannels: it cannot be read as the model's input.
        InvalidArray: the array does not have the model's channels.
        ExportError: no array is in the .npy file, or nnU-Net reads other pixels from the image.
    """
    if path.suffix != ".npy":
        pixels: ImageArray = decode_image(path.read_bytes(), channels=len(channels))
        _require_nnunets_pixels(path, pixels)
    else:
        pixels = _load_array(path)
    # Refuses what the model cannot take before anything is computed.
    preprocess(pixels, channels)
    return Photo(path.name, pixels)


def _load_array(path: Path) -> ImageArray:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ExportError(f"{path} holds no array of numbers: {error}") from error
    if not isinstance(loaded, np.ndarray):
        raise ExportError(f"{path} holds no array of numbers, but a zip file of several")
    return loaded


def _require_nnunets_pixels(path: Path, pixels: ImageArray) -> None:
    """Compare with nnU-Net's own reader, where it reads the file as the model's input at all.

    It does not where we turn a photo upright, make RGB of grey or drop an alpha channel.
    """
    if path.suffix not in NNUNET_SUFFIXES:
        return
    read, _ = NaturalImage2DIO().read_images([str(path)])
    theirs = read[:, 0].transpose(1, 2, 0)
    if theirs.shape == pixels.shape and not np.array_equal(theirs, pixels):
        raise ExportError(
            f"nnU-Net's reader finds other pixels in {path}, by up to "
            f"{np.abs(theirs - pixels).max():g}: write it as a plain PNG"
        )
