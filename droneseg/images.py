"""Image files to RGB arrays, upright and within limits."""

import io

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
            f"the image is too large to open; at most {max_pixels} pixels are allowed"
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
    # Pillow opens 16-bit RGB as 8-bit RGB without a word; its raw mode tells.
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", [])]
    if image.mode.startswith(("I", "F")) or any(";16" in mode for mode in raw_modes):
        raise UnsupportedImage(
            "the image has more than 8 bits a channel; scale it to 8 bits as in training"
        )


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    try:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:
        raise BrokenImage(f"the image cannot be decoded to its end: {error}") from error
