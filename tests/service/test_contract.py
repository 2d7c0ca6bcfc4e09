"""What existing clients rely upon."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import Segmentation, encode_png
from tests.service.server import Server

pytestmark = pytest.mark.service

SCENE = draw_scene(90, 110, seed=40)
PNG = encode_png(SCENE)
B64 = base64.b64encode(PNG).decode()
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def predictor(two_folds_bundle: Bundle) -> Predictor:
    return Predictor(two_folds_bundle)


@pytest.fixture(scope="module")
def expected(predictor: Predictor) -> Segmentation:
    (segmentation,) = predictor.segment([SCENE])
    return segmentation


def assert_answer(answer: Mapping[str, Any], expected: Segmentation) -> None:
    assert answer["prediction_shape"] == list(expected.labels.shape)
    assert answer["classes_found"] == expected.classes_found
    assert answer["model_loaded"] is True
    np.testing.assert_array_equal(mask(answer), expected.color())


def mask(answer: Mapping[str, Any]) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(base64.b64decode(answer["segmentation_mask"])))
    assert image.format == "PNG"
    return np.asarray(image)


def curl(url: str, *arguments: str) -> Any:
    command = ["curl", "--silent", "--show-error", "--fail-with-body", url, *arguments]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "body",
    [
        {"req": {"image_b64": B64, "content_type": "image/jpeg"}},
        {"image_b64": B64, "content_type": "image/png"},
        {"image_b64": B64},
        {"image_b64": f"data:image/png;base64,{B64}"},
        {"image_b64": base64.encodebytes(PNG).decode()},
    ],
    ids=["in req", "flat", "without content type", "data URL", "with line breaks"],
)
def test_predict_base64_by_curl(
    server: Server, expected: Segmentation, tmp_path: Path, body: object
) -> None:
    (tmp_path / "body.json").write_text(json.dumps(body))
    answer = curl(
        f"{server.url}/predict_base64",
        *("--header", "Content-Type: application/json"),
        *("--data", f"@{tmp_path / 'body.json'}"),
    )
    assert_answer(answer, expected)


BENTOML_CLIENT = """
import base64, json, pathlib, sys
import bentoml

url, photo = sys.argv[1:]
b64 = base64.b64encode(pathlib.Path(photo).read_bytes()).decode()
with bentoml.SyncHTTPClient(url) as client:
    answer = client.predict_base64(image_b64=b64, content_type="image/png")
print(json.dumps(answer))
"""


def test_predict_base64_by_bentomls_client(
    server: Server, expected: Segmentation, tmp_path: Path
) -> None:
    """In a process of its own, as BentoML's client gives warnings that are errors here."""
    (tmp_path / "photo.png").write_bytes(PNG)
    command = [sys.executable, "-c", BENTOML_CLIENT, server.url, str(tmp_path / "photo.png")]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    assert_answer(json.loads(done.stdout), expected)


@pytest.mark.parametrize("path", ["/predict", "/predict/"])
def test_predict_by_curl(server: Server, expected: Segmentation, tmp_path: Path, path: str) -> None:
    (tmp_path / "photo.png").write_bytes(PNG)
    # curl does not follow a redirect unless it is told to.
    answer = curl(f"{server.url}{path}", "--form", f"data=@{tmp_path / 'photo.png'}")
    assert_answer(answer, expected)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"image_b64": "%%%"}, 400, "invalid_base64"),
        ({"image_b64": "abc"}, 400, "invalid_base64"),
        ({"image_b64": ""}, 400, "invalid_base64"),
        ({"req": {"image_b64": "%%%"}}, 400, "invalid_base64"),
        ({"image_b64": encoded(b"hello")}, 415, "unsupported_image"),
        ({"image_b64": encoded(PNG[: len(PNG) // 2])}, 422, "broken_image"),
        ({"req": {"image_b64": encoded(PNG[: len(PNG) // 2])}}, 422, "broken_image"),
        ({"image_b64": None}, 400, "invalid_request"),
        ({"image_b64": 5}, 400, "invalid_request"),
        ({"req": {}}, 400, "invalid_request"),
        ({"req": "hello"}, 400, "invalid_request"),
        ({}, 400, "invalid_request"),
        ([1], 400, "invalid_request"),
    ],
)
def test_bad_base64_requests(server: Server, body: object, status: int, code: str) -> None:
    answer = httpx.post(f"{server.url}/predict_base64", json=body, timeout=TIMEOUT_S)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("POST", "/predict_base64", b"{", 400, "invalid_request"),
        ("GET", "/predict", b"", 405, "method_not_allowed"),
        ("GET", "/nowhere", b"", 404, "not_found"),
    ],
)
def test_errors_of_the_framework_have_the_same_shape(
    server: Server, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    answer = httpx.request(method, f"{server.url}{path}", content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("request_arguments", "status", "code"),
    [
        ({"files": {"data": ("a.png", b"hello")}}, 415, "unsupported_image"),
        ({"files": {"data": ("a.png", PNG[:-200])}}, 422, "broken_image"),
        ({"files": {"image": ("a.png", PNG)}}, 400, "invalid_request"),
        ({"data": {"data": "http://127.0.0.1/a.png"}}, 400, "invalid_request"),
        ({"content": b"hello"}, 400, "invalid_request"),
        (
            {"content": b"a", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            400,
            "invalid_request",
        ),
    ],
)
def test_bad_multipart_requests(
    server: Server, request_arguments: dict[str, Any], status: int, code: str
) -> None:
    answer = httpx.post(f"{server.url}/predict", timeout=TIMEOUT_S, **request_arguments)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_many_clients_at_once_get_their_own_masks(server: Server, predictor: Predictor) -> None:
    """More requests than BentoML's default connection to a runner lives for."""
    scenes = [draw_scene(50 + seed, 60 + 3 * seed, seed=seed) for seed in range(20)]
    wanted = [segmentation.color() for segmentation in predictor.segment(scenes)]

    def post(index: int) -> NDArray[np.uint8]:
        files = {"data": ("photo.png", encode_png(scenes[index % 20]))}
        answer = httpx.post(f"{server.url}/predict", files=files, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return mask(answer.json())

    with ThreadPoolExecutor(8) as pool:
        masks = list(pool.map(post, range(240)))
    for index, received in enumerate(masks):
        np.testing.assert_array_equal(received, wanted[index % 20])
