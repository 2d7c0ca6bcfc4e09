"""Clients that are slow, that go away, and those beside them."""

import base64
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from droneseg.bundle import Bundle
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.service.server import Server, serve

pytestmark = pytest.mark.service

MAX_BODY_BYTES = 4_000_000
MAX_QUEUE = 2
PHOTO = encode_png(draw_scene(20, 20, seed=0))
# Takes the model a second or two, and is large enough for the lane of large photos.
LARGE = encode_png(draw_scene(600, 800, seed=0))
SMALL_PIXELS = 100_000
ROUTES = ("/predict", "/predict_base64", "/batch_predict", "/predict_image_bytes")


@pytest.fixture(scope="module")
def crowded(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with room for two photos, and for two and a half of the largest bodies."""
    with serve(
        tmp_path_factory.mktemp("crowded"),
        DRONESEG_MODEL=str(two_folds_bundle.path),
        DRONESEG_MAX_QUEUE=str(MAX_QUEUE),
        DRONESEG_MAX_BODY_BYTES=str(MAX_BODY_BYTES),
        DRONESEG_MAX_BODIES_BYTES=str(5 * MAX_BODY_BYTES // 2),
        DRONESEG_BODY_TIMEOUT_S="2",
        DRONESEG_SMALL_PIXELS=str(SMALL_PIXELS),
    ) as running:
        running.wait_until_ready()
        yield running


def begin(
    server: Server, path: str, body: bytes = b"", length: int = MAX_BODY_BYTES
) -> socket.socket:
    """Send the head of a request and the beginning of its body."""
    host, port = server.url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=30)
    content_type = {
        "/predict_base64": "application/json",
        "/batch_predict": "multipart/form-data; boundary=B",
    }.get(path, "image/png")
    client.sendall(
        f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\nX-Request-ID: slow\r\n\r\n".encode()
        + body
    )
    return client


def status(client: socket.socket) -> int:
    return int(client.recv(4096).split()[1])


def predict(server: Server, photo: bytes = PHOTO, request_id: str = "fast") -> httpx.Response:
    headers = {"X-Request-ID": request_id}
    return httpx.post(f"{server.url}/predict", files={"data": photo}, headers=headers, timeout=60)


def test_clients_that_send_headers_alone_hold_no_place(crowded: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(begin(crowded, ROUTES[i % len(ROUTES)])) for i in range(64)]
        assert predict(crowded).status_code == 200
        # Nor do they stay for ever.
        assert {status(client) for client in slow} == {408}


def test_of_bodies_that_come_in_the_oldest_gives_way(crowded: Server) -> None:
    most = b"x" * (MAX_BODY_BYTES - 1)
    with ExitStack() as stack:
        slow = [stack.enter_context(begin(crowded, ROUTES[i], most)) for i in range(3)]
        assert status(slow[0]) == 429
        # The others still have their room, until their time is up.
        assert predict(crowded).status_code == 200
        assert [status(client) for client in slow[1:]] == [408, 408]


def test_bodies_that_are_worked_on_give_way_to_nobody(crowded: Server) -> None:
    """Two photos whose files fill the room, and a third."""
    padded = LARGE + b"x" * (MAX_BODY_BYTES - len(LARGE) - 1000)
    third = b"x" * (MAX_BODY_BYTES - 1000)
    with ThreadPoolExecutor(MAX_QUEUE) as pool:
        with crowded.runner_paused():
            worked_on = [pool.submit(predict, crowded, padded) for _ in range(MAX_QUEUE)]
            # While they come in, they would give way.
            time.sleep(0.5)
            assert predict(crowded, third).status_code == 429
        assert [answer.result().status_code for answer in worked_on] == [200] * MAX_QUEUE
    assert predict(crowded).status_code == 200


def test_a_full_queue_says_when_to_come_again(crowded: Server) -> None:
    with ThreadPoolExecutor(MAX_QUEUE) as pool:
        with crowded.runner_paused():
            waiting = [pool.submit(predict, crowded, LARGE) for _ in range(MAX_QUEUE)]
            time.sleep(0.5)
            for refused in (
                httpx.post(f"{crowded.url}/batch_predict", files={"data": PHOTO}),
                httpx.post(f"{crowded.url}/predict_base64", json={"image_b64": "aGVsbG8="}),
            ):
                assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
                assert int(refused.headers["retry-after"]) > 0
        assert [answer.result().status_code for answer in waiting] == [200] * MAX_QUEUE
    # Their places are free again.
    assert predict(crowded).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/predict_base64"])
def test_what_a_client_no_longer_waits_for_is_not_computed(crowded: Server, path: str) -> None:
    """A large photo is being segmented; behind it waits another, whose client goes away."""
    photo = LARGE
    if path == "/predict_base64":
        photo = b'{"image_b64": "' + base64.b64encode(LARGE) + b'"}'
    told = "photo slow is not computed: nobody waits for it"
    before = crowded.log.read_text().count(told)
    with ThreadPoolExecutor(1) as pool:
        with crowded.runner_paused():
            first = pool.submit(predict, crowded, LARGE, "first")
            time.sleep(0.3)
            with begin(crowded, path, photo, len(photo)):
                time.sleep(0.3)
            # Its place is free before the first one is through.
            crowded.wait_until(lambda: f"POST {path} 499" in crowded.log.read_text())
            assert not first.done()
        assert predict(crowded).status_code == 200
        assert first.result().status_code == 200
    crowded.wait_until(lambda: crowded.log.read_text().count(told) > before)
    assert not re.search(r"photo (first|fast) is not computed", crowded.log.read_text())


def test_a_client_that_goes_away_while_it_sends_is_no_error(crowded: Server) -> None:
    before = len(re.findall("499", crowded.log.read_text()))
    begin(crowded, "/predict", PHOTO[:100]).close()
    crowded.wait_until(lambda: len(re.findall("499", crowded.log.read_text())) > before)
    assert "Traceback" not in crowded.log.read_text()
