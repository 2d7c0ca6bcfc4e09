"""Polygons of a label map, along the edges of its pixels."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droneseg.errors import PolygonsNotInstalled
from droneseg.plan import Label

try:
    import shapely
except ImportError as error:
    raise PolygonsNotInstalled("polygons need shapely; `pip install shapely` brings it") from error


def trace(
    labels: NDArray[np.uint8],
    classes: Iterable[Label],
    tolerance_px: float = 0.0,
    min_area_px: float = 0.0,
) -> dict[str, Any]:
    """Polygons with holes of all regions of connected pixels of one class.

    Pixels are connected over their edges, not over their corners. Together the polygons of all
    classes cover the photo, every pixel once; simplified ones still share their borders.

    Args:
        labels: uint8 [H, W].
        classes: whose polygons are wanted.
        tolerance_px: borders are simplified by triangles of at most this size squared
            (Visvalingam and Whyatt); 0 keeps every edge of every pixel.
        min_area_px: smaller polygons are left out, and what they covered is then not covered.

    Returns:
        A GeoJSON FeatureCollection in pixel coordinates: x to the right, y down, the top left
        pixel from (0, 0) to (1, 1). Features have `id`, `name`, `color` and `area_px`, the number
        of pixels before any simplification.
    """
    wanted = {label.id: label for label in classes}
    faces = np.array(shapely.get_parts(shapely.polygonize(_borders(labels))))
    areas_px = shapely.area(faces)
    simplified = faces
    if tolerance_px > 0:
        simplified = shapely.coverage_simplify(faces, tolerance_px, simplify_boundary=False)
    ids = _ids(labels, faces)
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {
                    "id": int(class_id),
                    "name": wanted[class_id].name,
                    "color": wanted[class_id].color,
                    "area_px": round(area_px),
                },
                "geometry": json.loads(geometry),
            }
            for class_id, area_px, geometry in zip(
                ids.tolist(), areas_px.tolist(), shapely.to_geojson(simplified), strict=True
            )
            if class_id in wanted and area_px >= min_area_px
        ],
    }


def _ids(labels: NDArray[np.uint8], faces: NDArray[Any]) -> NDArray[np.uint8]:
    """The label of each face: of a pixel at the first point of its border, on the inner side."""
    points = shapely.get_coordinates(shapely.point_on_surface(faces))
    columns, rows = np.floor(points).astype(np.intp).T
    found: NDArray[np.uint8] = labels[rows, columns]
    return found


def _borders(labels: NDArray[np.uint8]) -> NDArray[Any]:
    """Straight lines between pixels of different labels and around the photo.

    They end wherever they meet others, as `shapely.polygonize` wants it.
    """
    height, width = labels.shape
    # Whether there is a border on the left of a pixel, on its top; the last ones close the photo.
    left = np.ones((height, width + 1), bool)
    left[:, 1:-1] = labels[:, 1:] != labels[:, :-1]
    top = np.ones((height + 1, width), bool)
    top[1:-1] = labels[1:] != labels[:-1]
    horizontal_meets = np.zeros((height + 1, width + 1), bool)
    horizontal_meets[:, :-1] |= top
    horizontal_meets[:, 1:] |= top
    vertical_meets = np.zeros((height + 1, width + 1), bool)
    vertical_meets[:-1] |= left
    vertical_meets[1:] |= left
    rows, first, last = _runs(top, vertical_meets)
    across = np.stack([np.stack([first, rows], 1), np.stack([last, rows], 1)], 1)
    columns, first, last = _runs(left.T, horizontal_meets.T)
    down = np.stack([np.stack([columns, first], 1), np.stack([columns, last], 1)], 1)
    return np.asarray(shapely.linestrings(np.concatenate([across, down]).astype(np.float64)))


def _runs(
    edges: NDArray[np.bool_], crossings: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Runs of edges along the rows, cut at crossings: row, first and last corner of each."""
    before = np.zeros_like(edges)
    before[:, 1:] = edges[:, :-1] & ~crossings[:, 1:-1]
    after = np.zeros_like(edges)
    after[:, :-1] = edges[:, 1:] & ~crossings[:, 1:-1]
    rows, first = np.nonzero(edges & ~before)
    _, last = np.nonzero(edges & ~after)
    return rows, first, last + 1
