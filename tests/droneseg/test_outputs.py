"""Polygons, run lengths, areas, kept classes: every pixel once."""

import io
import json
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pycocotools import mask as coco

from droneseg.errors import InvalidArray, TooManyEdges
from droneseg.plan import Label
from droneseg.scene import draw_scene
from droneseg.segmentation import NOT_KEPT, Segmentation

CLASSES = tuple(Label(i, name, f"#0000{i:02d}") for i, name in enumerate(("none", "roof", "road")))
LABEL_MAPS = arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)
)
RING = Segmentation(np.pad(np.full((1, 1), 2, np.uint8), 1, constant_values=1), CLASSES)


def stripes() -> Segmentation:
    """Regions of smooth outline, some with holes."""
    labels = draw_scene(120, 150, seed=3)[..., 0] // 86
    return Segmentation(labels.astype(np.uint8), CLASSES)


def polygons(segmentation: Segmentation, **options: Any) -> list[dict[str, Any]]:
    """The features of its GeoJSON."""
    features: list[dict[str, Any]] = json.loads(segmentation.geojson(**options))["features"]
    return features


def covered(segmentation: Segmentation) -> NDArray[np.int64]:
    """How many polygons cover each pixel; all of them have the label of their pixels."""
    height, width = segmentation.labels.shape
    rows, columns = np.mgrid[:height, :width] + 0.5
    count = np.zeros((height, width), np.int64)
    for feature in polygons(segmentation):
        polygon = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert polygon.is_valid
        inside = shapely.contains_xy(polygon, columns, rows)
        assert (segmentation.labels[inside] == feature["properties"]["id"]).all()
        assert inside.sum() == feature["properties"]["area_px"] == polygon.area
        count += inside
    return count


@given(LABEL_MAPS)
@example(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8))
@example(np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]], np.uint8))
def test_polygons_cover_every_pixel_once(labels: NDArray[np.uint8]) -> None:
    segmentation = Segmentation(labels, CLASSES)
    assert (covered(segmentation) == 1).all()


def test_a_ring_has_a_hole() -> None:
    features = polygons(RING)
    holes = {f["properties"]["name"]: len(f["geometry"]["coordinates"]) - 1 for f in features}
    assert holes == {"roof": 1, "road": 0}
    assert {f["properties"]["color"] for f in features} == {"#000001", "#000002"}


def test_simplified_polygons_share_their_borders() -> None:
    segmentation = stripes()
    exact, simple = (
        shapely.from_geojson([json.dumps(f["geometry"]) for f in polygons(segmentation, **options)])
        for options in ({}, {"tolerance_px": 3})
    )
    assert shapely.coverage_is_valid(exact)
    assert shapely.get_num_coordinates(simple).sum() < shapely.get_num_coordinates(exact).sum() / 2
    assert shapely.coverage_is_valid(simple)
    assert shapely.area(simple).sum() == pytest.approx(segmentation.labels.size)


def test_too_many_edges_are_refused_before_anything_is_traced() -> None:
    noise = Segmentation(np.indices((40, 50)).sum(0).astype(np.uint8) % 2, CLASSES)
    edges = 40 * 49 + 39 * 50
    assert len(polygons(noise, max_edges=edges)) == 40 * 50
    with pytest.raises(TooManyEdges, match=f"{edges} pixel edges .* keep fewer `classes`"):
        noise.geojson(max_edges=edges - 1)
    assert not polygons(noise.keep([2]), max_edges=0)


def test_holes_in_islands_in_holes_belong_to_their_own() -> None:
    nested = np.full((9, 9), 1, np.uint8)
    for inset in range(1, 5):
        nested[inset:-inset, inset:-inset] = inset % 2 + 1
    segmentation = Segmentation(np.hstack([nested, nested]), CLASSES)
    assert (covered(segmentation) == 1).all()
    holes = [len(f["geometry"]["coordinates"]) - 1 for f in polygons(segmentation)]
    assert sorted(holes) == [0, 0, 1, 1, 1, 1, 1, 1, 2]


def test_small_polygons_and_other_classes_are_left_out() -> None:
    assert [f["properties"]["area_px"] for f in polygons(RING, min_area_px=2)] == [8]
    kept = polygons(RING.keep([2]))
    assert [f["properties"]["name"] for f in kept] == ["road"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools sets shapes of arrays
@given(LABEL_MAPS)
def test_run_lengths_are_cocos(labels: NDArray[np.uint8]) -> None:
    for class_id, runs in Segmentation(labels, CLASSES).rle().items():
        compressed = coco.frPyObjects(runs, *runs["size"])
        np.testing.assert_array_equal(coco.decode(compressed), labels == class_id)


def test_areas() -> None:
    _, roof, road = RING.areas(gsd_cm=50)
    assert (roof.pixels, roof.fraction, roof.square_metres) == (8, 8 / 9, 2.0)
    assert (road.pixels, road.square_metres) == (1, 0.25)
    assert RING.areas()[1].square_metres is None


def test_keeping_classes_takes_the_others_away_everywhere() -> None:
    kept = RING.keep([2, 0])
    assert kept.labels.tolist() == [[NOT_KEPT] * 3, [NOT_KEPT, 2, NOT_KEPT], [NOT_KEPT] * 3]
    assert kept.classes_found == [2]
    assert [area.label.name for area in kept.areas()] == ["none", "road"]
    assert list(kept.rle()) == [2]
    photo = np.full((3, 3, 3), 7, np.uint8)
    overlay = kept.overlay(photo, alpha=1)
    assert overlay[0, 0].tolist() == [7, 7, 7]
    assert overlay[1, 1].tolist() == [0, 0, 2]


def test_probabilities_as_npz() -> None:
    with pytest.raises(InvalidArray, match="no probabilities"):
        RING.probabilities_npz()
    planes = np.random.default_rng(0).integers(0, 256, (3, 3, 3)).astype(np.uint8)
    npz = Segmentation(RING.labels, CLASSES, planes).probabilities_npz()
    with np.load(io.BytesIO(npz), allow_pickle=False) as arrays_:
        np.testing.assert_array_equal(arrays_["probabilities"], planes)
