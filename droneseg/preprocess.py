"""Crop and normalise: nnU-Net's DefaultPreprocessor for photos, which need no resampling."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneseg.errors import InvalidArray


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
    """A cropped image with its z-score as a table for each channel.

    A pixel has only 256 values, so normalising is a look-up whose entries are computed with the
    very float32 operations of nnU-Net's ZScoreNormalization. The image stays uint8: windows are
    normalised as they are cut, from statistics of the whole crop.

    Attributes:
        pixels: uint8 [C, h, w], the crop.
        tables: float32 [C, 256], the normalised value of each pixel value.
        box: where the crop lies in the image.
        image_shape: height and width of the image in px.
    """

    pixels: NDArray[np.uint8]
    tables: NDArray[np.float32]
    box: Box
    image_shape: tuple[int, int]

    def window(self, rows: slice, columns: slice, out: NDArray[np.float32]) -> None:
        """Write normalised rows and columns of the crop into `out`, float32 [C, rows, columns]."""
        for table, plane, target in zip(self.tables, self.pixels, out, strict=True):
            target[...] = table[plane[rows, columns]]


def preprocess(image: NDArray[np.uint8], channels: int = 3) -> NormalizedImage:
    """Crop to non-zero and take the statistics, as DefaultPreprocessor.run_case_npy does.

    Args:
        image: uint8 [H, W, C].
        channels: the number of channels that the model takes.

    Raises:
        InvalidArray: another dtype or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != channels or not image.size:
        raise InvalidArray(
            f"expected a uint8 array [height, width, {channels}], "
            f"got {image.dtype} {list(image.shape)}"
        )
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    box = nonzero_box(planes)
    tables = np.stack([zscore_table(plane, box) for plane in planes])
    return NormalizedImage(planes[:, *box.slices], tables, box, planes.shape[1:])


def nonzero_box(planes: NDArray[np.uint8]) -> Box:
    """The bounding box of the pixels of which any channel is not 0, [C, H, W].

    Matches nnunetv2's crop_to_nonzero: an all-black image keeps its whole box.
    """
    nonzero = np.any(planes, axis=0)
    rows = np.flatnonzero(np.any(nonzero, axis=1))
    if not rows.size:
        return Box(0, nonzero.shape[0], 0, nonzero.shape[1])
    columns = np.flatnonzero(np.any(nonzero, axis=0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def zscore_table(plane: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    """The value that nnunetv2's ZScoreNormalization gives each of the 256 pixel values.

    The statistics are float32 sums whose last bits depend on the memory order, and those bits
    alone flip labels: so they are taken as nnU-Net takes them, over a view of the whole plane.
    """
    cropped = plane.astype(np.float32)[box.slices]
    mean, std = cropped.mean(), cropped.std()
    values = np.arange(256, dtype=np.float32)
    values -= mean
    values /= max(std, 1e-8)
    return values
