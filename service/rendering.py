"""Rendering: a segmentation as the fields of an answer."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droneseg.images import decode_labels
from droneseg.machine import available_cores
from droneseg.plan import Label
from droneseg.segmentation import NOT_KEPT, Segmentation, count_values
from service.errors import UnknownClass
from service.options import Options, PolygonOptions
from service.payloads import ClassArea, Rle
from service.settings import settings


def kept_ids(options: PolygonOptions, labels: tuple[Label, ...]) -> set[int] | None:
    """The ids of the classes to keep; None for all.

    Raises:
        UnknownClass: the model has no such class.
    """
    if options.classes is None:
        return None
    by_name: dict[int | str, int] = {}
    for label in labels:
        by_name |= {label.name: label.id, label.id: label.id, str(label.id): label.id}
    unknown = [str(name) for name in options.classes if name not in by_name]
    if unknown:
        known = ", ".join(f"{label.id} {label.name}" for label in labels)
        raise UnknownClass(f"no such class: {', '.join(unknown)[:100]}; the model has {known}")
    return {by_name[name] for name in options.classes}


class Renderer:
    """Renders in threads of its own: what is slow keeps no photo from being decoded."""

    def __init__(self) -> None:
        """Start idle."""
        self._threads = ThreadPoolExecutor(available_cores(), "rendering")
        # Polygons can take hundreds of megabytes.
        self._tracing = ThreadPoolExecutor(1, "tracing")

    async def render(
        self, segmentation: Segmentation, photo: NDArray[np.uint8], options: Options
    ) -> dict[str, Any]:
        """What was asked for, as fields of a Prediction.

        What has not begun when it is cancelled is not done.

        Raises:
            TooManyEdges: there would be too many polygons.
        """
        loop = asyncio.get_running_loop()
        fields: dict[str, Any] = {}
        if options.polygons:
            fields["polygons"] = await loop.run_in_executor(
                self._tracing, polygons, segmentation, options
            )
        return fields | await loop.run_in_executor(
            self._threads, render, segmentation, photo, options
        )

    async def polygons_of_png(
        self, data: bytes, labels: tuple[Label, ...], options: PolygonOptions
    ) -> str:
        """The text of a GeoJSON FeatureCollection.

        Raises:
            DroneSegError: it is no PNG of class ids, an option cannot be used, or there would be
                too many polygons.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._tracing, polygons_of_png, data, labels, options)


def polygons_of_png(data: bytes, labels: tuple[Label, ...], options: PolygonOptions) -> str:
    """The GeoJSON of a PNG of class ids, as `render=labels` gives it."""
    ids = kept_ids(options, labels)
    values = decode_labels(data, settings.max_pixels)
    known = [*(label.id for label in labels), NOT_KEPT]
    unknown = np.setdiff1d(np.flatnonzero(count_values(values)), known)
    if len(unknown):
        raise UnknownClass(f"the model has no class {unknown[0]}, which is a value of the PNG")
    segmentation = Segmentation(values, labels)
    return polygons(segmentation if ids is None else segmentation.keep(ids), options)


def polygons(segmentation: Segmentation, options: PolygonOptions) -> str:
    """The text of a GeoJSON FeatureCollection."""
    return segmentation.geojson(
        options.tolerance_px, options.min_area_px, settings.max_polygon_edges
    )


def render(
    segmentation: Segmentation, photo: NDArray[np.uint8], options: Options
) -> dict[str, Any]:
    """What was asked for but polygons, as fields of a Prediction."""
    mask = render_png(segmentation, photo, options)
    fields: dict[str, Any] = {
        "prediction_shape": list(segmentation.labels.shape),
        "classes_found": segmentation.classes_found,
        "segmentation_mask": None if mask is None else _base64(mask),
        "classes": _areas(segmentation, options.gsd_cm),
    }
    if options.rle:
        fields["rle"] = _rle(segmentation)
    if options.probabilities:
        fields["probabilities"] = _base64(segmentation.probabilities_npz())
    if options.confidence:
        fields["confidence"] = segmentation.confidence
    return fields


def render_png(
    segmentation: Segmentation, photo: NDArray[np.uint8], options: Options
) -> bytes | None:
    """The mask as a PNG, or None if none is wanted."""
    match options.render:
        case "color":
            return segmentation.color_png()
        case "labels":
            return segmentation.palette_png()
        case "overlay":
            return segmentation.overlay_png(photo, options.alpha)
        case "none":
            return None


def _areas(segmentation: Segmentation, gsd_cm: float | None) -> list[ClassArea]:
    areas = []
    for area in segmentation.areas(gsd_cm):
        label = area.label
        entry = ClassArea(
            id=label.id,
            name=label.name,
            color=label.color,
            pixels=area.pixels,
            fraction=area.fraction,
        )
        if area.square_metres is not None:
            entry.square_metres = area.square_metres
        areas.append(entry)
    return areas


def _rle(segmentation: Segmentation) -> list[Rle]:
    names = {label.id: label.name for label in segmentation.classes}
    return [Rle(id=i, name=names[i], **runs) for i, runs in segmentation.rle().items()]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
