"""Segmentation: a label map that renders itself."""

import io
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from droneseg.errors import InvalidArray
from droneseg.plan import Label
from droneseg.polygons import trace
from droneseg.rle import column_runs
from droneseg.stage_times import StageTimes

OVERLAY_ALPHA = 0.45
MAX_ID = 255
# What pixels of classes that were not asked for become; no class has this id.
NOT_KEPT = 255
CM2_IN_M2 = 10_000


@dataclass(frozen=True, slots=True)
class ClassArea:
    """How much of a photo a class covers.

    Attributes:
        label: the class.
        pixels: how many.
        fraction: of all pixels of the photo.
        square_metres: None if the size of a pixel on the ground is not known.
    """

    label: Label
    pixels: int
    fraction: float
    square_metres: float | None


@dataclass(frozen=True)
class Segmentation:
    """The result for one image.

    Attributes:
        labels: uint8 [H, W], the class of each pixel.
        classes: the model's classes by ascending id, or those of them that were kept.
        probabilities: uint8 [K, H, W], 255 for 1, one plane for each head; None if not asked for.
        confidence: the mean probability of the chosen class, of every 8th row and column of the
            non-zero crop; None if not asked for.
        times: how long its stages took, where a Predictor made it.
    """

    labels: NDArray[np.uint8]
    classes: tuple[Label, ...]
    probabilities: NDArray[np.uint8] | None = None
    confidence: float | None = None
    times: StageTimes = field(default_factory=StageTimes, compare=False)

    def keep(self, ids: Collection[int]) -> "Segmentation":
        """Of all classes only these; every other pixel becomes NOT_KEPT."""
        table = np.full(MAX_ID + 1, NOT_KEPT, np.uint8)
        classes = tuple(label for label in self.classes if label.id in ids)
        for label in classes:
            table[label.id] = label.id
        return replace(self, labels=table[self.labels], classes=classes)

    @cached_property
    def pixel_counts(self) -> NDArray[np.int64]:
        """Number of pixels of each class, int64 [len(classes)]."""
        return count_values(self.labels)[[label.id for label in self.classes]]

    @property
    def classes_found(self) -> list[int]:
        """The ids that occur, ascending."""
        present = zip(self.classes, self.pixel_counts, strict=True)
        return [label.id for label, count in present if count]

    def areas(self, gsd_cm: float | None = None) -> list[ClassArea]:
        """How much each class covers.

        Args:
            gsd_cm: ground sampling distance, the side of a pixel on the ground in cm.
        """
        m2_per_px = None if gsd_cm is None else gsd_cm**2 / CM2_IN_M2
        return [
            ClassArea(
                label,
                int(count),
                int(count) / self.labels.size,
                None if m2_per_px is None else int(count) * m2_per_px,
            )
            for label, count in zip(self.classes, self.pixel_counts, strict=True)
        ]

    def rle(self) -> dict[int, dict[str, list[int]]]:
        """COCO's uncompressed run lengths of each class that occurs, by its id."""
        return {
            class_id: {
                "size": list(self.labels.shape),
                "counts": column_runs(self.labels == class_id),
            }
            for class_id in self.classes_found
        }

    def geojson(
        self,
        tolerance_px: float = 0.0,
        min_area_px: float = 0.0,
        max_edges: int | None = None,
    ) -> str:
        """Polygons with holes, the text of a GeoJSON FeatureCollection; see `polygons.trace`."""
        return trace(self.labels, self.classes, tolerance_px, min_area_px, max_edges)

    def color(self) -> NDArray[np.uint8]:
        """The label map in the classes' colours, uint8 [H, W, 3]."""
        return self._palette().take(self.labels, axis=0)

    def overlay(self, image: NDArray[np.uint8], alpha: float = OVERLAY_ALPHA) -> NDArray[np.uint8]:
        """The colours laid over the photo, uint8 [H, W, 3]; it shows where nothing was kept.

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
        blended = np.asarray(Image.blend(photo, colors, alpha))
        return np.where((self.labels == NOT_KEPT)[..., None], rgb, blended)

    def label_png(self) -> bytes:
        """A grey PNG whose pixel values are the class ids: what nnU-Net itself writes."""
        return _png(Image.fromarray(self.labels), compress_type=zlib.Z_RLE)

    def palette_png(self) -> bytes:
        """A palette PNG whose pixel values are the class ids, shown in the classes' colours."""
        image = Image.fromarray(self.labels, "L")
        image.putpalette(self._palette().tobytes())
        return _png(image, compress_type=zlib.Z_RLE)

    def color_png(self) -> bytes:
        """An RGB PNG in the classes' colours."""
        return encode_png(self.color())

    def overlay_png(self, image: NDArray[np.uint8], alpha: float = OVERLAY_ALPHA) -> bytes:
        """An RGB PNG of the colours over the photo."""
        return encode_png(self.overlay(image, alpha))

    def probabilities_npz(self) -> bytes:
        """An npz file of `probabilities`, as nnU-Net calls them.

        Raises:
            InvalidArray: they were not asked for.
        """
        if self.probabilities is None:
            raise InvalidArray("this segmentation has no probabilities; ask the Predictor for them")
        # np.savez_compressed cannot be told to be quick.
        buffer = io.BytesIO()
        with (
            zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("probabilities.npy", "w", force_zip64=True) as file,
        ):
            np.lib.format.write_array(file, self.probabilities, allow_pickle=False)
        return buffer.getvalue()

    def _palette(self) -> NDArray[np.uint8]:
        """A colour for each id, uint8 [256, 3]; black for what is no class."""
        palette = np.zeros((MAX_ID + 1, 3), np.uint8)
        for label in self.classes:
            palette[label.id] = label.rgb
        return palette


def count_values(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels have each value, int64 [256].

    By Pillow: np.bincount would make eight bytes of every pixel first.
    """
    return np.asarray(Image.fromarray(labels).histogram(), np.int64)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of uint8 [H, W] or [H, W, 3]."""
    return _png(Image.fromarray(pixels))


def _png(image: Image.Image, compress_type: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    """The fastest level.

    Of label maps run lengths alone are smaller still and 1.6 times as fast; of colours and photos
    they are neither.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, compress_type=compress_type)
    return buffer.getvalue()
