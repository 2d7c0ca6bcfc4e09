"""Shifts: what becomes of photos under other light, optics, cameras and heights."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Photo = NDArray[np.uint8]

HAZE_GREY = 215


def brightness(photo: Photo, factor: float) -> Photo:
    """Times a factor."""
    return _uint8(photo.astype(np.float32) * factor)


def haze(photo: Photo, density: float) -> Photo:
    """A share of light grey over it."""
    return _uint8(photo * (1 - density) + HAZE_GREY * density)


def blur(photo: Photo, sigma_px: float) -> Photo:
    """Gaussian."""
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(sigma_px)))


def noise(photo: Photo, sigma: float) -> Photo:
    """Gaussian, of values from 0 to 255; the same for every photo of a size."""
    rng = np.random.default_rng(0)
    return _uint8(photo + rng.normal(0, sigma, photo.shape))


def jpeg(photo: Photo, quality: float) -> Photo:
    """Compressed once more."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=int(quality))
    return np.asarray(Image.open(buffer))


def scale(photo: Photo, factor: float) -> Photo:
    """As from another height: below 1 smaller."""
    height, width = (max(1, round(length * factor)) for length in photo.shape[:2])
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))


def _uint8(values: NDArray[np.floating]) -> Photo:
    photo: Photo = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return photo


Shift = Callable[[Photo, float], Photo]
