"""Photos that lie in a bucket, on an emulator of one."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.gcs import download, emulator, upload
from tests.service.server import Server, serve

pytestmark = pytest.mark.service

BUCKET = "photos"
SCENE = draw_scene(90, 110, seed=40)
PHOTO = f"gs://{BUCKET}/in/day 1/scene.png"
MASK = f"gs://{BUCKET}/out/scene.png"


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    with emulator(BUCKET) as url:
        upload(url, BUCKET, "in/day 1/scene.png", encode_png(SCENE))
        upload(url, BUCKET, "in/large.png", bytes(200_000))
        upload(url, BUCKET, "in-secret/scene.png", encode_png(SCENE))
        yield url


@pytest.fixture(scope="module")
def server(
    storage: str, two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serve(
        tmp_path_factory.mktemp("references"),
        DRONESEG_MODEL=str(two_folds_bundle.path),
        STORAGE_EMULATOR_HOST=storage,
        DRONESEG_INPUT_PREFIXES=f"gs://elsewhere/, gs://{BUCKET}/in",
        DRONESEG_OUTPUT_PREFIXES=f"gs://{BUCKET}/out/",
        DRONESEG_MAX_OBJECT_BYTES="100000",
    ) as running:
        running.wait_until_ready()
        yield running


def predict(server: Server, **reference: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/predict_uri", json=reference, timeout=60)


def labels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_the_mask_lies_where_it_was_wanted(
    server: Server, storage: str, two_folds_bundle: Bundle
) -> None:
    answer = predict(server, image_uri=PHOTO, output_uri=MASK, render="labels")
    assert answer.status_code == 200, answer.text
    assert answer.json()["output_uri"] == MASK
    assert answer.json()["filename"] == "scene.png"
    assert answer.json()["segmentation_mask"] is None
    (expected,) = Predictor(two_folds_bundle).segment([SCENE])
    np.testing.assert_array_equal(
        labels(download(storage, BUCKET, "out/scene.png")), expected.labels
    )


def test_without_a_place_the_mask_is_in_the_answer(server: Server) -> None:
    answer = predict(server, image_uri=PHOTO).json()
    assert labels(base64.b64decode(answer["segmentation_mask"])).shape == (90, 110, 3)
    assert "output_uri" not in answer


@pytest.mark.parametrize(
    "uri",
    [
        f"gs://{BUCKET}/in-secret/scene.png",
        f"gs://{BUCKET}/in/../in-secret/scene.png",
        f"gs://{BUCKET}/in//scene.png",
        f"gs://{BUCKET}/in/",
        f"gs://{BUCKET}/in/scene.png#1",
        "gs://other/in/scene.png",
        "http://localhost/in/scene.png",
        "file:///etc/passwd",
        "/etc/passwd",
        "",
    ],
)
def test_only_what_the_settings_allow_is_read_or_written(server: Server, uri: str) -> None:
    for reference in ({"image_uri": uri}, {"image_uri": PHOTO, "output_uri": uri}):
        answer = predict(server, **reference)
        assert (answer.status_code, answer.json()["code"]) == (403, "uri_not_allowed")
    assert predict(server, image_uri=PHOTO, output_uri=PHOTO).status_code == 403


def test_what_cannot_be_read_has_an_error(server: Server) -> None:
    missing = predict(server, image_uri=f"gs://{BUCKET}/in/none.png")
    assert (missing.status_code, missing.json()["code"]) == (422, "object_not_found")
    large = predict(server, image_uri=f"gs://{BUCKET}/in/large.png")
    assert (large.status_code, large.json()["code"]) == (413, "request_too_large")
    elsewhere = predict(server, image_uri="gs://elsewhere/photo.png")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "object_not_found")


def test_a_body_that_is_no_reference_is_refused(server: Server) -> None:
    for reference in ({}, {"image_uri": PHOTO, "colour": 1}, {"image_uri": 1}):
        answer = predict(server, **reference)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    nothing = predict(server, image_uri=PHOTO, output_uri=MASK, render="none")
    assert nothing.status_code == 400
