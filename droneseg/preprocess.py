"""Crop and normalise: nnU-Net's DefaultPreprocessor for photos, which need no resampling."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from droneseg.errors import InvalidArray
from droneseg.normalization import DTYPES, ImageArray, Normalization, normalization_of
from droneseg.plan import Channel


@dataclass(frozen=True, slots=True)
class Box:
    """Rows top to bottom and columns left to right of an image, in px, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index of the box in an [H, W] array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, slots=True)
class NormalizedImage:
    """A cropped image and how its channels are normalised.

    The image stays as it came: windows are normalised as they are cut, by statistics of the whole
    crop and with the very float32 operations of nnU-Net.

    Attributes:
        pixels: uint8, uint16 or float32 [C, h, w], the crop.
        normalizations: one a channel.
        masked: channels whose pixels are 0 wherever all channels are.
        box: where the crop lies in the image.
        image_shape: height and width of the image in px.
    """

    pixels: ImageArray
    normalizations: tuple[Normalization, ...]
    masked: tuple[int, ...]
    box: Box
    image_shape: tuple[int, int]

    def on(self, xp: ModuleType) -> "NormalizedImage":
        """The same with its pixels in an array of `xp`: on a GPU they go up here, once."""
        return replace(self, pixels=xp.asarray(self.pixels))

    def window(self, rows: slice, columns: slice, out: NDArray[np.float32]) -> None:
        """Write normalised rows and columns of the crop into `out`, float32 [C, rows, columns]."""
        for index, normalization in enumerate(self.normalizations):
            out[index] = self.pixels[index, rows, columns]
            normalization.apply(out[index])
        if self.masked:
            outside = ~np.any(self.pixels[:, rows, columns], axis=0)
            for index in self.masked:
                out[index][outside] = 0


def preprocess(image: ImageArray, channels: Sequence[Channel]) -> NormalizedImage:
    """Crop to non-zero and take the statistics, as DefaultPreprocessor.run_case_npy does.

    Args:
        image: uint8, uint16 or float32 [H, W, C].
        channels: what the model takes.

    Raises:
        InvalidArray: another dtype or shape, or values that are no numbers.
    """
    _check(image, len(channels))
    planes = _planes(image)
    box = nonzero_box(planes)
    pixels = planes[:, *box.slices]
    masked = tuple(index for index, channel in enumerate(channels) if _is_masked(channel))
    mask = np.any(pixels, axis=0) if masked else None
    normalizations = tuple(
        normalization_of(channel, plane, mask if index in masked else None)
        for index, (channel, plane) in enumerate(zip(channels, pixels, strict=True))
    )
    return NormalizedImage(pixels, normalizations, masked, box, planes.shape[1:])


def _planes(image: ImageArray) -> ImageArray:
    """[C, H, W] of [H, W, C], a channel after the other: a third faster than NumPy's own copy."""
    planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
    for index, plane in enumerate(planes):
        plane[...] = image[..., index]
    return planes


def _check(image: ImageArray, channels: int) -> None:
    if image.dtype not in DTYPES or image.ndim != 3 or image.shape[2] != channels or not image.size:
        raise InvalidArray(
            f"expected a uint8, uint16 or float32 array [height, width, {channels}], "
            f"got {image.dtype} {list(image.shape)}"
        )
    if image.dtype == np.float32 and not np.isfinite(image).all():
        raise InvalidArray("the image has values that are infinite or no numbers")


def _is_masked(channel: Channel) -> bool:
    """nnU-Net's other schemes ignore use_mask_for_norm."""
    return channel.use_mask_for_norm and channel.normalization == "ZScoreNormalization"


def nonzero_box(planes: ImageArray) -> Box:
    """The bounding box of the pixels of which any channel is not 0, [C, H, W].

    Matches nnunetv2's crop_to_nonzero: an all-black image keeps its whole box.
    """
    nonzero = np.any(planes, axis=0)
    rows = np.flatnonzero(np.any(nonzero, axis=1))
    if not rows.size:
        return Box(0, nonzero.shape[0], 0, nonzero.shape[1])
    columns = np.flatnonzero(np.any(nonzero, axis=0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
