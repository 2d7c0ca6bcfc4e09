"""Limits, keys and deadlines."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from droneseg.bundle import Bundle
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.service.server import Server, serve

pytestmark = pytest.mark.service

KEY = "a-key-for-tests"
MAX_BODY_BYTES = 100_000
PHOTO = encode_png(draw_scene(20, 20, seed=0))
AUTHORIZED = {"X-API-Key": KEY}


@pytest.fixture(scope="module")
def limited(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose every limit is near, with API keys."""
    with serve(
        tmp_path_factory.mktemp("limited"),
        DRONESEG_MODEL=str(two_folds_bundle.path),
        DRONESEG_API_KEYS=f"another, {KEY}",
        DRONESEG_MAX_BODY_BYTES=str(MAX_BODY_BYTES),
        DRONESEG_MAX_PIXELS="10000",
        DRONESEG_MAX_IMAGES="3",
        DRONESEG_MAX_QUEUE="2",
    ) as running:
        running.wait_until_ready()
        yield running


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def batch(count: int) -> list[tuple[str, tuple[str, bytes]]]:
    return [("data", ("a.png", PHOTO))] * count


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict_base64", "/batch_predict", "/model_info"])
def test_without_the_key_nothing_is_predicted(
    limited: Server, headers: dict[str, str], path: str
) -> None:
    answer = httpx.post(f"{limited.url}{path}", headers=headers)
    refused(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [AUTHORIZED, {"Authorization": f"Bearer {KEY}"}])
def test_with_the_key_it_is(limited: Server, headers: dict[str, str]) -> None:
    answer = httpx.post(
        f"{limited.url}/predict", files={"data": PHOTO}, headers=headers, timeout=60
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/healthz", "/metrics", "/docs", "/docs.json"]
)
def test_health_metrics_and_docs_are_open(limited: Server, path: str) -> None:
    assert httpx.get(f"{limited.url}{path}").status_code == 200


def test_keys_are_shown_nowhere(limited: Server) -> None:
    info = httpx.get(f"{limited.url}/model_info", headers=AUTHORIZED)
    assert info.json()["settings"]["api_keys"] is True
    assert KEY not in info.text
    assert KEY not in limited.log.read_text()


@pytest.mark.parametrize("path", ["/predict", "/predict_base64", "/predict_image_bytes"])
@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_are_refused_with_and_without_their_length(
    limited: Server,
    path: str,
    chunked: bool,  # noqa: FBT001
) -> None:
    body = b" " * (3 * MAX_BODY_BYTES)
    chunks = (body[i : i + 8192] for i in range(0, len(body), 8192))
    answer = httpx.post(
        f"{limited.url}{path}",
        content=chunks if chunked else body,
        headers={**AUTHORIZED, "Content-Type": "application/json" if "64" in path else "image/png"},
    )
    refused(answer, 413, "request_too_large")
    assert str(MAX_BODY_BYTES) in answer.json()["message"]


def test_many_pixels_and_many_photos_are_refused(limited: Server) -> None:
    large = encode_png(draw_scene(101, 100, seed=0))
    answer = httpx.post(f"{limited.url}/predict", files={"data": large}, headers=AUTHORIZED)
    refused(answer, 413, "image_too_large")
    for many in (4, 40):
        answer = httpx.post(f"{limited.url}/batch_predict", files=batch(many), headers=AUTHORIZED)
        refused(answer, 413, "request_too_large")
        assert "at most 2 photos" in answer.json()["message"]
    answer = httpx.post(f"{limited.url}/predict", files=batch(2), headers=AUTHORIZED)
    refused(answer, 400, "invalid_request")


def test_a_batch_that_never_fits_the_queue_is_too_large(limited: Server) -> None:
    answer = httpx.post(f"{limited.url}/batch_predict", files=batch(3), headers=AUTHORIZED)
    refused(answer, 413, "request_too_large")


@pytest.mark.parametrize(
    ("charset", "filename"),
    [("undefined", "a.png"), ("unicode_escape", r"\ud800.png"), ("utf-7", "+2AA-.png")],
)
def test_a_charset_of_a_form_is_no_server_error(
    limited: Server, charset: str, filename: str
) -> None:
    head = f'--B\r\nContent-Disposition: form-data; name="data"; filename="{filename}"\r\n\r\n'
    headers = {
        **AUTHORIZED,
        "Content-Type": f"multipart/form-data; boundary=B; charset={charset}",
    }
    body = head.encode() + PHOTO + b"\r\n--B--\r\n"
    for route in ("predict", "batch_predict"):
        answer = httpx.post(f"{limited.url}/{route}", content=body, headers=headers, timeout=60)
        assert answer.status_code in {200, 400}, answer.text


def test_a_photo_whose_deadline_has_passed_is_not_computed(
    two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two large photos, of which the first keeps the model busy beyond the time of both."""
    # Seconds of work.
    large = encode_png(draw_scene(1500, 1500, seed=0))
    with serve(
        tmp_path_factory.mktemp("deadline"),
        DRONESEG_MODEL=str(two_folds_bundle.path),
        DRONESEG_TIMEOUT_S="4",
    ) as server:
        server.wait_until_ready()

        def post(request_id: str) -> httpx.Response:
            headers = {"X-Request-ID": request_id}
            return httpx.post(
                f"{server.url}/predict", files={"data": large}, headers=headers, timeout=60
            )

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(post, "first")
            time.sleep(1)
            with server.runner_paused():
                second = pool.submit(post, "second")
                refused(first.result(), 504, "deadline_exceeded")
                refused(second.result(), 504, "deadline_exceeded")
        server.wait_until(lambda: "photo second is not computed" in server.log.read_text())
        assert "photo first is not computed" not in server.log.read_text()
