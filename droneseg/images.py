"""Image files to RGB arrays, upright and within limits."""

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from droneseg.errors import BrokenImage, ImageTooLarge, UnsupportedImage

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
# Above this Pillow itself refuses to open a file.
MAX_PIXELS = 178_956_970


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG, TIFF, WebP or BMP to RGB, uint8 [H, W, 3].

    EXIF orientation is applied. Grey, palette and CMYK images become RGB; an alpha channel is
    dropped, as its colours are what the camera saw.

    Args:
        data: the bytes of a file.
        max_pixels: refused above, before anything is decoded.

    Raises:
        UnsupportedImage: no such format, or more than 8 bits a channel.
        ImageTooLarge: too many pixels.
        BrokenImage: cannot be decoded to its end.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnsupportedImage(f"not an image in one of the formats {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise ImageTooLarge(
            f"the image is too large; at most {min(max_pixels, MAX_PIXELS)} pixels are allowed"
        ) from None
    except Exception as error:
        raise BrokenImage(f"the image cannot be read: {error}") from error
    with image:
        _check(image, max_pixels)
        return _to_rgb(image)


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
            "the image has more than 8 bits a channel; scale it to 8 bits as in training"
        )


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    try:
        image.load()
        return np.asarray(_upright(image).convert("RGB"))
    except Exception as error:
        raise BrokenImage(f"the image cannot be decoded to its end: {error}") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - damaged EXIF, of which the pixels know nothing
        return image
