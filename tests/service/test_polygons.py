"""POST /polygons: GeoJSON of a mask that is there already."""

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.segmentation import NOT_KEPT, Segmentation, encode_png
from tests.service.server import Server

pytestmark = pytest.mark.service

IDS = np.kron(np.arange(12).reshape(3, 4) % 4, np.ones((5, 6))).astype(np.uint8)
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def mask(two_folds_bundle: Bundle) -> Segmentation:
    return Segmentation(IDS, two_folds_bundle.plan.labels)


def post(server: Server, png: bytes, **options: Any) -> httpx.Response:
    return httpx.post(
        f"{server.url}/polygons", content=png, headers=PNG, params=options, timeout=60
    )


def test_a_mask_becomes_what_a_prediction_with_polygons_has(
    server: Server, mask: Segmentation
) -> None:
    for png in (mask.palette_png(), mask.label_png()):
        answer = post(server, png)
        assert answer.headers["content-type"] == "application/geo+json"
        assert answer.text == mask.geojson()
    form = httpx.post(
        f"{server.url}/polygons/",
        files={"data": mask.palette_png()},
        data={"tolerance_px": 2, "min_area_px": 40, "classes": "1,tree"},
        timeout=60,
    )
    assert form.text == mask.keep([1, 3]).geojson(2, 40)


def test_pixels_that_were_not_kept_get_no_polygon(server: Server, mask: Segmentation) -> None:
    kept = mask.keep([2])
    assert NOT_KEPT in kept.labels
    features = json.loads(post(server, kept.palette_png()).text)["features"]
    assert {feature["properties"]["id"] for feature in features} == {2}


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("png", "options", "status", "code"),
    [
        (encode_png(np.full((4, 4), 77, np.uint8)), {}, 422, "unknown_class"),
        (encode_png(IDS), {"classes": "moon"}, 422, "unknown_class"),
        (encode_png(IDS)[:60], {}, 422, "broken_image"),
        (encode_png(np.zeros((4, 4, 3), np.uint8)), {}, 415, "unsupported_image"),
        (saved(Image.fromarray(IDS.astype(np.uint16))), {}, 415, "unsupported_image"),
        (saved(Image.fromarray(IDS % 2 == 1)), {}, 415, "unsupported_image"),
        (saved(Image.fromarray(IDS), "BMP"), {}, 415, "unsupported_image"),
        (encode_png(IDS), {"render": "color"}, 400, "invalid_request"),
        (b"", {}, 415, "unsupported_image"),
    ],
)
def test_what_is_no_mask_is_refused(
    server: Server, png: bytes, options: dict[str, str], status: int, code: str
) -> None:
    answer = post(server, png, **options)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_noise_is_refused_before_it_is_traced(server: Server) -> None:
    noise = (np.indices((800, 800)).sum(0) % 2).astype(np.uint8)
    answer = post(server, encode_png(noise))
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_edges")
    assert "1000000" in answer.json()["message"]
