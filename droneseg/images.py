"""Image files to arrays, upright and within limits."""

import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from droneseg.errors import BrokenImage, ImageTooLarge, UnsupportedImage, WrongChannels

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
# Pillow's mode for a number of channels, and the modes that lose nothing on the way there.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
SOURCES = {1: {"L", "LA"}, 4: {"RGBA"}}
# Raw modes of a TIFF whose further channels Pillow drops.
DROPPED_BY_PILLOW = {"RGBX": 4, "RGBXX": 5, "RGBXXX": 6}
# Modes, raw or not, of which Pillow makes other values than are stored, and than nnU-Net reads.
CHANGED_BY_PILLOW = {
    "1": "the image has 1 bit a pixel; store it with 8",
    "L;I": "the image is stored with white as 0 (MinIsWhite); store it with black as 0",
    "RGBa": "the other channels are multiplied with the fourth, alpha; store it unassociated",
    "RGBX": "the fourth channel is of no stated kind (ExtraSamples 0), and would be dropped; store "
    "it as unassociated alpha (ExtraSamples 2)",
}
# Above this Pillow itself refuses to open a file.
MAX_PIXELS = 178_956_970


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS, channels: int = 3) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG, TIFF, WebP or BMP, uint8 [H, W, channels].

    EXIF orientation is applied. For three channels grey, palette and CMYK images become RGB and
    an alpha channel is dropped, as its colours are what the camera saw. For one the image has to
    be grey, for four it has to be RGBA, whose alpha is then the model's fourth channel.

    Args:
        data: the bytes of a file.
        max_pixels: refused above, before anything is decoded.
        channels: what the model takes.

    Raises:
        UnsupportedImage: no such format, or more than 8 bits a channel.
        ImageTooLarge: too many pixels.
        WrongChannels: the image has others than the model takes.
        BrokenImage: cannot be decoded to its end.
    """
    require_file_channels(channels)
    with _open(data, max_pixels, FORMATS) as image:
        _check(image, max_pixels)
        _check_channels(image, channels)
        return _to_array(image, MODES[channels])


def decode_labels(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a PNG whose pixel values are class ids, grey or with a palette, uint8 [H, W].

    Raises:
        UnsupportedImage: another format, or not one value of 8 bits a pixel.
        ImageTooLarge: too many pixels.
        BrokenImage: cannot be decoded to its end.
    """
    with _open(data, max_pixels, ("PNG",)) as image:
        _check(image, max_pixels)
        # Pillow scales grey of fewer bits to 8; indices of a palette stay.
        if image.mode != "P" and {_raw_mode(tile) for tile in getattr(image, "tile", [])} != {"L"}:
            raise UnsupportedImage(
                "not a PNG of class ids, which is grey of 8 bits or has a palette; render=labels "
                "gives one"
            )
        try:
            return np.asarray(image)
        except Exception as error:
            raise BrokenImage(f"the image cannot be decoded to its end: {error}") from error


def _open(data: bytes, max_pixels: int, formats: tuple[str, ...]) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise UnsupportedImage(f"not an image in one of the formats {', '.join(formats)}") from None
    except Image.DecompressionBombError:
        raise ImageTooLarge(
            f"the image is too large; at most {min(max_pixels, MAX_PIXELS)} pixels are allowed"
        ) from None
    except Exception as error:
        raise BrokenImage(f"the image cannot be read: {error}") from error


def pixel_count(data: bytes) -> int:
    """Height times width of an image file by its header; 0 if that cannot be read."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - decode_image says what is wrong
        return 0


def require_file_channels(channels: int) -> None:
    """Raise WrongChannels if no image file has as many."""
    if channels not in MODES:
        raise WrongChannels(
            f"the model takes {channels} channels, which no image file has: give arrays "
            f"[height, width, {channels}] to droneseg.Predictor"
        )


def _check(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"the image has {image.width} x {image.height} pixels; at most {max_pixels} are allowed"
        )
    # Pillow opens 16-bit RGB as 8-bit RGB without a word; its raw mode tells (RGB;16B and the like,
    # but not BGR;16, which is 16 bits a pixel).
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", [])]
    deep = any(re.search(r";16[BLNS]", mode) for mode in raw_modes)
    if image.mode.startswith(("I", "F")) or deep:
        raise UnsupportedImage(
            "the image has more than 8 bits a channel; for a model of 8 bits scale it as in "
            "training, for one of 16 bits give a uint16 array to droneseg.Predictor"
        )


def _check_channels(image: Image.Image, channels: int) -> None:
    """Three channels can be had of any image; others have to be there, as they were stored."""
    raw_modes = {_raw_mode(tile) for tile in getattr(image, "tile", [])}
    if channels == 3:
        more = raw_modes & DROPPED_BY_PILLOW.keys() if image.format == "TIFF" else set()
        if more:
            raise WrongChannels(
                f"the image has {DROPPED_BY_PILLOW[more.pop()]} channels, the model takes 3 (RGB)"
            )
        return
    modes = {image.mode, *raw_modes}
    changed = modes & CHANGED_BY_PILLOW.keys()
    if changed and image.format in {"PNG", "TIFF", "BMP"}:
        raise UnsupportedImage(CHANGED_BY_PILLOW[changed.pop()])
    if image.mode not in SOURCES[channels]:
        raise WrongChannels(
            f"the image has {len(image.getbands())} channels ({image.mode}), the model takes "
            f"{channels} ({MODES[channels]})"
        )


def _raw_mode(tile: Any) -> str:
    mode = tile[3][0] if isinstance(tile[3], tuple) else tile[3]
    return str(mode)


def _to_array(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    try:
        image.load()
        pixels = np.asarray(_upright(image).convert(mode))
    except Exception as error:
        raise BrokenImage(f"the image cannot be decoded to its end: {error}") from error
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - damaged EXIF, of which the pixels know nothing
        return image
