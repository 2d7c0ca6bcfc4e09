"""What clients may ask for, on every prediction route."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.images import decode_image
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import NOT_KEPT, Segmentation, encode_png
from tests.service.server import Server

pytestmark = pytest.mark.service

SCENE = draw_scene(70, 90, seed=41)
PNG = encode_png(SCENE)
TIMEOUT_S = 60
Post = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def predictor(two_folds_bundle: Bundle) -> Predictor:
    return Predictor(two_folds_bundle)


@pytest.fixture(scope="module")
def expected(predictor: Predictor) -> Segmentation:
    (result,) = predictor.segment([SCENE], probabilities=True, confidence=True)
    return result


def by_form(server: Server, **options: Any) -> httpx.Response:
    files = {"data": ("scene.png", PNG)}
    return httpx.post(f"{server.url}/predict", files=files, data=options, timeout=TIMEOUT_S)


def by_query(server: Server, **options: Any) -> httpx.Response:
    return httpx.post(
        f"{server.url}/predict_image_bytes",
        content=PNG,
        params=options,
        headers={"Content-Type": "image/png"},
        timeout=TIMEOUT_S,
    )


def by_json(server: Server, **options: Any) -> httpx.Response:
    body = {"image_b64": base64.b64encode(PNG).decode(), "filename": "scene.png", **options}
    return httpx.post(f"{server.url}/predict_base64", json=body, timeout=TIMEOUT_S)


def by_json_in_req(server: Server, **options: Any) -> httpx.Response:
    body = {"req": {"image_b64": base64.b64encode(PNG).decode(), **options}}
    return httpx.post(f"{server.url}/predict_base64", json=body, timeout=TIMEOUT_S)


def in_a_batch(server: Server, **options: Any) -> httpx.Response:
    files = [("data", ("scene.png", PNG)), ("data", ("broken.png", PNG[:99]))]
    answer = httpx.post(f"{server.url}/batch_predict", files=files, data=options, timeout=TIMEOUT_S)
    content = answer.json()
    if answer.status_code == 200:
        assert content[1]["code"] == "broken_image"
        content = content[0]
    return httpx.Response(answer.status_code, json=content)


ROUTES = [by_form, by_query, by_json, by_json_in_req, in_a_batch]


@pytest.mark.parametrize("post", ROUTES)
def test_every_route_has_every_option(server: Server, expected: Segmentation, post: Post) -> None:
    options = {
        "render": "labels",
        "polygons": True,
        "tolerance_px": 1,
        "min_area_px": 4,
        "rle": True,
        "probabilities": True,
        "gsd_cm": 50,
        "confidence": True,
    }
    answer = post(server, **options).json()
    assert answer["confidence"] == pytest.approx(expected.confidence)
    assert answer["polygons"] == json.loads(expected.geojson(1, 4))
    runs = {entry["id"]: entry["counts"] for entry in answer["rle"]}
    assert runs == {class_id: rle["counts"] for class_id, rle in expected.rle().items()}
    npz = io.BytesIO(base64.b64decode(answer["probabilities"]))
    with np.load(npz, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["probabilities"], expected.probabilities)
    assert_areas(answer["classes"], expected)
    np.testing.assert_array_equal(mask(answer), expected.labels)


def assert_areas(classes: list[dict[str, Any]], expected: Segmentation) -> None:
    assert classes == [
        {
            "id": area.label.id,
            "name": area.label.name,
            "color": area.label.color,
            "pixels": area.pixels,
            "fraction": area.fraction,
            "square_metres": area.square_metres,
        }
        for area in expected.areas(50)
    ]


def mask(answer: dict[str, Any]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["segmentation_mask"]))))


@pytest.mark.parametrize("post", ROUTES)
def test_what_was_not_asked_for_is_not_there(server: Server, post: Post) -> None:
    answer = post(server).json()
    assert not {"polygons", "rle", "probabilities", "confidence"} & set(answer)
    assert answer["model"]["name"] == "two_folds"
    assert answer["model"]["precision"] == "fp32"
    assert set(answer["timings_ms"]) == {"decode", "queue", "predict", "encode", "total"}
    assert all(value >= 0 for value in answer["timings_ms"].values())
    assert all("square_metres" not in entry for entry in answer["classes"])


@pytest.mark.parametrize("post", ROUTES)
def test_classes_are_kept_by_id_and_by_name(
    server: Server, expected: Segmentation, post: Post
) -> None:
    answer = post(server, classes=[1, "tree"], render="labels").json()
    kept = expected.keep([1, 3])
    np.testing.assert_array_equal(mask(answer), kept.labels)
    assert NOT_KEPT in mask(answer)
    assert [entry["id"] for entry in answer["classes"]] == [1, 3]
    assert answer["classes_found"] == kept.classes_found


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"classes": ["moon"]}, 422, "unknown_class"),
        ({"render": "nice"}, 400, "invalid_request"),
        ({"alpha": 2}, 400, "invalid_request"),
        ({"gsd_cm": 0}, 400, "invalid_request"),
        ({"tolerance_px": "nan"}, 400, "invalid_request"),
        ({"polygon": True}, 400, "invalid_request"),
    ],
)
@pytest.mark.parametrize("post", ROUTES)
def test_wrong_options_are_named(
    server: Server, post: Post, options: dict[str, Any], status: int, code: str
) -> None:
    answer = post(server, **options)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    wrong = "moon" if status == 422 else next(iter(options))
    assert wrong in answer.json()["message"]


def test_overlay_and_none(server: Server, expected: Segmentation) -> None:
    answer = by_form(server, render="overlay", alpha=0.25).json()
    np.testing.assert_array_equal(mask(answer), expected.overlay(SCENE, 0.25))
    assert by_form(server, render="none").json()["segmentation_mask"] is None


def test_fast_is_the_predictors_fast(server: Server, two_folds_bundle: Bundle) -> None:
    (fast,) = Predictor(two_folds_bundle, mode="fast").segment([SCENE])
    np.testing.assert_array_equal(mask(by_form(server, mode="fast").json()), fast.color())


def test_a_query_goes_over_a_form(server: Server, expected: Segmentation) -> None:
    answer = httpx.post(
        f"{server.url}/predict?render=labels&classes=1,3",
        files={"data": PNG},
        data={"render": "none"},
        timeout=TIMEOUT_S,
    ).json()
    np.testing.assert_array_equal(mask(answer), expected.keep([1, 3]).labels)


@pytest.mark.parametrize("path", ["/predict", "/predict_image_bytes", "/predict_image_bytes/"])
def test_the_image_itself_for_who_accepts_it(
    server: Server, expected: Segmentation, path: str
) -> None:
    headers = {"Content-Type": "application/octet-stream", "Accept": "image/png"}
    answer = httpx.post(f"{server.url}{path}", content=PNG, headers=headers, timeout=TIMEOUT_S)
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(Image.open(io.BytesIO(answer.content)), expected.color())


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("image/*", "image/png"),
        ("IMAGE/PNG;q=0.5, */*;q=0.1", "image/png"),
        ("image/png;q=0", "application/json"),
        ("image/png, application/json", "application/json"),
        ("text/html", "application/json"),
    ],
)
def test_who_accepts_an_image(server: Server, accept: str, content_type: str) -> None:
    headers = {"Content-Type": "image/png", "Accept": accept}
    answer = httpx.post(f"{server.url}/predict", content=PNG, headers=headers, timeout=TIMEOUT_S)
    assert answer.headers["content-type"] == content_type


def test_the_image_field_of_predict_image_bytes(server: Server, expected: Segmentation) -> None:
    url = f"{server.url}/predict_image_bytes/"
    answer = httpx.post(url, files={"image": ("a.png", PNG)}, timeout=TIMEOUT_S).json()
    np.testing.assert_array_equal(mask(answer), expected.color())
    assert answer["filename"] == "a.png"


def test_the_mask_is_in_the_upright_frame(server: Server, predictor: Predictor) -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(SCENE).save(buffer, "JPEG", exif=exif)
    upright = decode_image(buffer.getvalue())
    answer = httpx.post(
        f"{server.url}/predict", files={"data": buffer.getvalue()}, timeout=TIMEOUT_S
    ).json()
    assert answer["prediction_shape"] == [90, 70]
    np.testing.assert_array_equal(mask(answer), predictor.segment([upright])[0].color())


def test_seven_good_photos_and_a_broken_one(server: Server, predictor: Predictor) -> None:
    scenes = [draw_scene(40 + seed, 50, seed=seed) for seed in range(7)]
    files = [("data", (f"{i}.png", encode_png(scene))) for i, scene in enumerate(scenes)]
    files.insert(3, ("data", ("broken.png", PNG[:-200])))
    answer = httpx.post(f"{server.url}/batch_predict/", files=files, timeout=TIMEOUT_S)
    assert answer.status_code == 200
    error = answer.json().pop(3)
    assert (error["code"], error["filename"]) == ("broken_image", "broken.png")
    good = [entry for entry in answer.json() if "code" not in entry]
    assert [entry["filename"] for entry in good] == [f"{i}.png" for i in range(7)]
    for entry, result in zip(good, predictor.segment(scenes), strict=True):
        np.testing.assert_array_equal(mask(entry), result.color())


@pytest.mark.parametrize(
    ("given", "kept"), [("job-7.a_B", True), ("a b", False), ("x" * 65, False), ("{}", False)]
)
def test_request_ids(server: Server, given: str, kept: bool) -> None:  # noqa: FBT001
    headers = {"X-Request-ID": given}
    answers = [
        httpx.post(f"{server.url}/predict", files={"data": PNG}, headers=headers, timeout=60),
        httpx.post(f"{server.url}/predict", files={"data": b"x"}, headers=headers),
        httpx.post(f"{server.url}/predict_base64", json={"image_b64": 5}, headers=headers),
        httpx.get(f"{server.url}/nowhere", headers=headers),
    ]
    for answer in answers:
        request_id = answer.headers["x-request-id"]
        assert answer.json()["request_id"] == request_id
        assert (request_id == given) is kept
        assert f'"request_id": "{request_id}"' in server.log.read_text()


def test_model_info(server: Server, two_folds_bundle: Bundle) -> None:
    info = httpx.get(f"{server.url}/model_info").json()
    assert info == httpx.post(f"{server.url}/model_info/").json()
    plan = two_folds_bundle.plan
    assert (info["name"], info["hash"]) == (plan.name, plan.content_hash)
    assert [entry["color"] for entry in info["classes"]] == [label.color for label in plan.labels]
    assert info["engine"].startswith(("winograd", "openvino", "onnxruntime"))
    assert info["certificate"][0]["passed"] is True
    assert info["limits"]["max_pixels"] == info["settings"]["max_pixels"] == 50_000_000
    assert {"droneseg", "bentoml"} <= set(info["versions"])


def test_the_root_says_whether_the_model_is_ready(server: Server) -> None:
    answer = httpx.get(server.url, headers={"Accept": "application/json"})
    assert answer.json() == {"status": "ok", "model_status": "ready"}
