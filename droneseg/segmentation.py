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
MAX_ID = 255


@dataclass(frozen=True)
class Segmentation:
    """The result for one image.

    Attributes:
        labels: uint8 [H, W], the class of each pixel.
        classes: the model's classes by ascending id.
    """

    labels: NDArray[np.uint8]
    classes: tuple[Label, ...]

    @cached_property
    def pixel_counts(self) -> NDArray[np.int64]:
        """Number of pixels of each class, int64 [len(classes)]."""
        counts = np.bincount(self.labels.reshape(-1), minlength=MAX_ID + 1)
        return counts[[label.id for label in self.classes]]

    @property
    def classes_found(self) -> list[int]:
        """The ids that occur, ascending."""
        present = zip(self.classes, self.pixel_counts, strict=True)
        return [label.id for label, count in present if count]

    def color(self) -> NDArray[np.uint8]:
        """The label map in the classes' colours, uint8 [H, W, 3]."""
        palette = np.zeros((MAX_ID + 1, 3), np.uint8)
        for label in self.classes:
            palette[label.id] = label.rgb
        return palette.take(self.labels, axis=0)

    def overlay(self, image: NDArray[np.uint8], alpha: float = OVERLAY_ALPHA) -> NDArray[np.uint8]:
        """The colours laid over the photo, uint8 [H, W, 3].

        Args:
            image: the photo, uint8 [H, W, C]: grey, RGB, or RGB and more, which does not show.
            alpha: 0 shows the photo alone, 1 the colours alone.

        Raises:
            InvalidArray: the photo is of another size.
        """
        if image.ndim != 3 or image.shape[:2] != self.labels.shape:
            raise InvalidArray(
                f"expected a photo of {self.labels.shape[0]} x {self.labels.shape[1]} px, got an "
                f"array of shape {list(image.shape)}"
            )
        rgb = image[..., :3] if image.shape[2] >= 3 else image[..., [0, 0, 0]]
        photo, colors = Image.fromarray(np.ascontiguousarray(rgb)), Image.fromarray(self.color())
        return np.asarray(Image.blend(photo, colors, alpha))

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
