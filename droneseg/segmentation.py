"""Segmentation: a label map that renders itself."""

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from droneseg.errors import InvalidArray
from droneseg.plan import Label

OVERLAY_ALPHA = 0.45


@dataclass(frozen=True)
class Segmentation:
    """The result for one image.

    Attributes:
        labels: uint8 [H, W], the class of each pixel.
        classes: the model's classes; `classes[i].id == i`.
    """

    labels: NDArray[np.uint8]
    classes: tuple[Label, ...]

    @cached_property
    def pixel_counts(self) -> NDArray[np.int64]:
        """Number of pixels of each class, int64 [K]."""
        return np.bincount(self.labels.reshape(-1), minlength=len(self.classes))

    @property
    def classes_found(self) -> list[int]:
        """The ids that occur, ascending."""
        return [int(i) for i in np.flatnonzero(self.pixel_counts)]

    def color(self) -> NDArray[np.uint8]:
        """The label map in the classes' colours, uint8 [H, W, 3]."""
        palette = np.array([label.rgb for label in self.classes], np.uint8)
        return palette.take(self.labels, axis=0)

    def overlay(self, image: NDArray[np.uint8], alpha: float = OVERLAY_ALPHA) -> NDArray[np.uint8]:
        """The colours laid over the photo, uint8 [H, W, 3].

        Args:
            image: the photo, uint8 [H, W, 3].
            alpha: 0 shows the photo alone, 1 the colours alone.

        Raises:
            InvalidArray: the photo is of another size.
        """
        if image.shape != (*self.labels.shape, 3):
            raise InvalidArray(
                f"expected a photo of shape {[*self.labels.shape, 3]}, got {list(image.shape)}"
            )
        return np.asarray(Image.blend(Image.fromarray(image), Image.fromarray(self.color()), alpha))

    def label_png(self) -> bytes:
        """A grey PNG whose pixel values are the class ids: what nnU-Net itself writes."""
        return encode_png(self.labels)

    def color_png(self) -> bytes:
        """An RGB PNG in the classes' colours."""
        return encode_png(self.color())

    def overlay_png(self, image: NDArray[np.uint8], alpha: float = OVERLAY_ALPHA) -> bytes:
        """An RGB PNG of the colours over the photo."""
        return encode_png(self.overlay(image, alpha))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of uint8 [H, W] or [H, W, 3]; the fastest level, label maps compress well anyway."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
