"""Polygons of a label map, along the edges of its pixels, as GeoJSON."""

import json
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from droneseg.errors import PolygonsNotInstalled, TooManyEdges
from droneseg.plan import Label
from droneseg.rings import Rings, trace_rings


def trace(
    labels: NDArray[np.uint8],
    classes: Iterable[Label],
    tolerance_px: float = 0.0,
    min_area_px: float = 0.0,
    max_edges: int | None = None,
) -> str:
    """Polygons with holes of all regions of connected pixels of one class.

    Pixels are connected over their edges, not over their corners. Together the polygons of all
    classes cover the photo, every pixel once; simplified ones still share their borders.

    Args:
        labels: uint8 [H, W].
        classes: whose polygons are wanted.
        tolerance_px: borders are simplified by triangles of at most this size squared
            (Visvalingam and Whyatt); 0 keeps every edge of every pixel.
        min_area_px: smaller polygons are left out, and what they covered is then not covered.
        max_edges: how many pixel edges may lie between regions. Time and memory go by them.

    Returns:
        The text of a GeoJSON FeatureCollection in pixel coordinates: x to the right, y down, the
        top left pixel from (0, 0) to (1, 1). Features have `id`, `name`, `color` and `area_px`, the
        number of pixels before any simplification.

    Raises:
        TooManyEdges: there are more than `max_edges`.
        PolygonsNotInstalled: simplified polygons need shapely.
    """
    edges = count_edges(labels)
    if max_edges is not None and edges > max_edges:
        raise TooManyEdges(
            f"the label map has {edges} pixel edges between classes, too many for polygons; at "
            f"most {max_edges} are traced: keep fewer `classes`, or send a smaller photo"
        )
    wanted = {label.id: _beginning(label) for label in classes}
    rings = trace_rings(labels)
    geometries = _simplified(rings, tolerance_px) if tolerance_px > 0 else _exact(rings)
    outlines = np.flatnonzero(rings.areas_px > 0)
    areas_px = np.bincount(rings.outlines, rings.areas_px)[outlines].astype(np.int64)
    features = [
        f'{wanted[class_id]},"area_px":{area_px}}},"geometry":{geometry}}}'
        for class_id, area_px, geometry in zip(
            rings.labels[outlines].tolist(), areas_px.tolist(), geometries, strict=True
        )
        if class_id in wanted and area_px >= min_area_px
    ]
    return "".join(['{"type":"FeatureCollection","features":[', ",".join(features), "]}"])


def count_edges(labels: NDArray[np.uint8]) -> int:
    """How many edges of pixels lie between two labels."""
    across = np.count_nonzero(labels[:, 1:] != labels[:, :-1])
    return int(across + np.count_nonzero(labels[1:] != labels[:-1]))


def _beginning(label: Label) -> str:
    """Of every feature of a class: text, as millions of dicts would take gigabytes."""
    properties = json.dumps({"id": label.id, "name": label.name, "color": label.color})
    return f'{{"type":"Feature","properties":{properties[:-1]}'


def _exact(rings: Rings) -> Iterator[str]:
    """A GeoJSON geometry for each outline and its holes."""
    face: list[str] = []
    for start, end, area_px in zip(
        rings.starts[:-1].tolist(), rings.starts[1:].tolist(), rings.areas_px.tolist(), strict=True
    ):
        points = rings.points[start:end].tolist()
        points.append(points[0])
        if area_px > 0 and face:
            yield f'{{"type":"Polygon","coordinates":[{",".join(face)}]}}'
            face = []
        face.append(str(points).replace(" ", ""))
    yield f'{{"type":"Polygon","coordinates":[{",".join(face)}]}}'


def _simplified(rings: Rings, tolerance_px: float) -> Iterator[str]:
    try:
        import shapely
    except ImportError as error:
        raise PolygonsNotInstalled(
            "simplified polygons need shapely; `pip install shapely` brings it"
        ) from error
    lines = shapely.linearrings(
        rings.points.astype(np.float64),
        indices=np.repeat(np.arange(len(rings.labels)), np.diff(rings.starts)),
    )
    faces = shapely.polygons(np.array(lines), indices=np.cumsum(rings.areas_px > 0) - 1)
    simple = shapely.coverage_simplify(faces, tolerance_px, simplify_boundary=False)
    return iter(shapely.to_geojson(simple))
