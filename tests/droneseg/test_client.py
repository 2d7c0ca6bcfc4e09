"""Both clients against a real HTTP server, the real service in tests/service/test_client.py."""

import asyncio
import inspect
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from droneseg.client import AsyncClient, Client, ClientError, Prediction
from droneseg.client.retries import parse_retry_after
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.droneseg.stand_in import (
    Received,
    StandIn,
    answer,
    in_turn,
    labels_of,
    palette_png,
    refuse,
    segment,
    stand_in,
)

SCENE = draw_scene(40, 50, seed=1)
PNG = encode_png(SCENE)

Call = Callable[..., Any]


@pytest.fixture
def service() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


def call_sync(url: str, photo: object, options: dict[str, Any], **settings: Any) -> Prediction:
    with Client(url, **settings) as client:
        return client.predict(photo, **options)  # type: ignore[arg-type]


def call_async(url: str, photo: object, options: dict[str, Any], **settings: Any) -> Prediction:
    async def call() -> Prediction:
        async with AsyncClient(url, **settings) as client:
            return await client.predict(photo, **options)  # type: ignore[arg-type]

    return asyncio.run(call())


@pytest.fixture(params=[call_sync, call_async], ids=["sync", "async"])
def predict(request: pytest.FixtureRequest) -> Call:
    """Either client's `predict`."""

    def call(url: str, photo: object = PNG, /, *, settings: Any = None, **options: Any) -> Any:
        return request.param(url, photo, options, **(settings or {}))

    return call


def many_sync(url: str, photos: Sequence[Any], **options: Any) -> list[Prediction | ClientError]:
    with Client(url) as client:
        return list(client.predict_many(photos, **options))


def many_async(url: str, photos: Sequence[Any], **options: Any) -> list[Prediction | ClientError]:
    async def call() -> list[Prediction | ClientError]:
        async with AsyncClient(url) as client:
            return [outcome async for outcome in client.predict_many(photos, **options)]

    return asyncio.run(call())


@pytest.fixture(params=[many_sync, many_async], ids=["sync", "async"])
def predict_many(request: pytest.FixtureRequest) -> Call:
    """Either client's `predict_many`, as a list."""
    function: Call = request.param
    return function


def assert_fails(act: Callable[[], Any], status: int, code: str, message: str = "") -> ClientError:
    with pytest.raises(ClientError) as caught:
        act()
    assert (caught.value.status, caught.value.code) == (status, code)
    assert message in caught.value.message
    return caught.value


def decoded_height(png: bytes) -> int:
    return int.from_bytes(png[20:24], "big")


@contextmanager
def hanging_up() -> Iterator[str]:
    """A server that breaks its connection within the answer."""

    def serve_one(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_one, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_an_answer_is_typed_and_decoded(service: StandIn, predict: Call, tmp_path: Path) -> None:
    (tmp_path / "Höfe und Dächer.png").write_bytes(PNG)
    prediction = predict(service.url, tmp_path / "Höfe und Dächer.png")
    expected = labels_of(SCENE)
    assert prediction.labels.dtype == np.uint8
    np.testing.assert_array_equal(prediction.labels, expected)
    assert prediction.png == palette_png(expected)
    assert prediction.filename == "Höfe und Dächer.png"
    assert prediction.request_id == "request of Höfe und Dächer.png"
    assert prediction.prediction_shape == (40, 50)
    assert prediction.model.engine == "none"
    assert prediction.timings_ms == {"decode": 1.5, "predict": 20}
    assert sum(area.pixels for area in prediction.classes) == 40 * 50
    assert prediction.classes[1].color == "#A03020"
    assert prediction.answer["something_newer"] == 1
    assert prediction.segmentation.color()[0, 0].tolist() == [
        *bytes.fromhex(prediction.classes[expected[0, 0]].color[1:])
    ]


def test_what_is_sent(service: StandIn, predict: Call) -> None:
    predict(service.url, settings={"api_key": "s3cret"}, gsd_cm=2.5, polygons=True)
    (received,) = service.received
    assert received.content == PNG
    assert received.query == {"render": "labels", "gsd_cm": "2.5", "polygons": "true"}
    assert received.authorization == "Bearer s3cret"


def test_a_path_before_the_routes_is_kept(service: StandIn, predict: Call) -> None:
    assert_fails(lambda: predict(f"{service.url}/behind/"), 404, "unexpected_answer")
    assert predict(f"{service.url}/").prediction_shape == (40, 50)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(service: StandIn, predict: Call, status: int) -> None:
    busy = refuse(status, "busy", retry_after="0")
    service.behave = in_turn(busy, busy, busy)
    np.testing.assert_array_equal(predict(service.url).labels, labels_of(SCENE))
    assert len(service.received) == 4
    assert all(received.content == PNG for received in service.received)


def test_without_a_retry_after_it_is_asked_again_as_well(service: StandIn, predict: Call) -> None:
    service.behave = in_turn(refuse(503, "busy"))
    assert predict(service.url).prediction_shape == (40, 50)


def test_it_is_not_asked_before_the_time_that_it_named(service: StandIn, predict: Call) -> None:
    times: list[float] = []

    async def behave(received: Received) -> Response:
        times.append(time.monotonic())
        return refuse(429, "busy", retry_after="1") if len(times) == 1 else await segment(received)

    service.behave = behave
    predict(service.url)
    assert times[1] - times[0] >= 1


def test_the_number_of_attempts_is_bounded(service: StandIn, predict: Call) -> None:
    busy = refuse(503, "model_not_ready", retry_after="0")
    service.behave = in_turn(*[busy] * 9)
    error = assert_fails(
        lambda: predict(service.url, settings={"attempts": 3}), 503, "model_not_ready"
    )
    assert (error.message, error.request_id) == ("model_not_ready it is", "r1")
    assert len(service.received) == 3


def test_the_time_of_attempts_is_bounded(service: StandIn, predict: Call) -> None:
    """A client that waited here would wait for an hour."""
    service.behave = in_turn(refuse(503, "busy", retry_after="3600"))
    assert_fails(lambda: predict(service.url), 503, "busy")
    assert len(service.received) == 1


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        (refuse(401, "unauthorized", retry_after="0"), 401, "unauthorized"),
        (refuse(413, "image_too_large"), 413, "image_too_large"),
        (refuse(422, "broken_image"), 422, "broken_image"),
        (refuse(500, "prediction_failed"), 500, "prediction_failed"),
        (refuse(504, "deadline_exceeded"), 504, "deadline_exceeded"),
        (HTMLResponse("<h1>Bad Gateway</h1>", 502), 502, "unexpected_answer"),
        (RedirectResponse("/elsewhere"), 307, "unexpected_answer"),
        (JSONResponse([1], 400), 400, "unexpected_answer"),
        (HTMLResponse("<h1>Welcome</h1>"), 502, "unexpected_answer"),
        (JSONResponse([1]), 502, "unexpected_answer"),
        (JSONResponse({"status": "ok"}), 502, "unexpected_answer"),
    ],
)
def test_errors_are_raised_at_once(
    service: StandIn, predict: Call, response: Response, status: int, code: str
) -> None:
    service.behave = in_turn(response)
    assert_fails(lambda: predict(service.url), status, code)
    assert len(service.received) == 1


def test_a_slow_service_is_given_up(service: StandIn, predict: Call) -> None:
    async def behave(received: Received) -> Response:
        await asyncio.sleep(1)
        return await segment(received)

    service.behave = behave
    assert_fails(lambda: predict(service.url, settings={"timeout_s": 0.2}), 504, "service_timeout")


def test_where_nothing_listens(predict: Call) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = assert_fails(lambda: predict(url), 503, "service_unreachable")
    assert url in error.message
    assert "make serve" in error.message


@pytest.mark.parametrize("url", ["localhost:3000", "http://", "", "http://a:b", "ftp://localhost"])
def test_what_is_no_url(predict: Call, url: str) -> None:
    assert_fails(lambda: predict(url), 400, "invalid_url", "http://localhost:3000")


def test_a_connection_that_breaks(predict: Call) -> None:
    with hanging_up() as url:
        assert_fails(lambda: predict(url), 502, "connection_lost")


def test_a_file_that_cannot_be_read(service: StandIn, predict: Call, tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    error = assert_fails(lambda: predict(service.url, missing), 400, "unreadable_file")
    assert str(missing) in error.message
    assert not service.received


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segmentation_mask": None}, "render='labels'"),
        ({"segmentation_mask": "aGVsbG8="}, "no whole PNG"),
        ({"prediction_shape": [50, 40]}, "as the answer says"),
    ],
)
def test_masks_that_are_no_labels(
    service: StandIn, predict: Call, changes: dict[str, Any], message: str
) -> None:
    async def behave(received: Received) -> Response:
        return JSONResponse(answer(received) | changes)

    service.behave = behave
    prediction = predict(service.url)
    assert_fails(lambda: prediction.labels, 502, "unexpected_answer", message)


def test_colours_are_not_taken_for_labels() -> None:
    received = Received("a.png", PNG, {}, None)
    prediction = Prediction.of(bytes(JSONResponse(answer(received)).body))
    colors = encode_png(prediction.segmentation.color())
    assert_fails(
        lambda: replace(prediction, png=colors).labels, 502, "unexpected_answer", "colours"
    )


def test_many_come_in_order_with_their_errors(
    service: StandIn, predict_many: Call, tmp_path: Path
) -> None:
    """Later photos are answered sooner; one is broken, one is missing."""
    scenes = [draw_scene(30 + index, 50, seed=index) for index in range(24)]
    photos: list[bytes | Path] = [encode_png(scene) for scene in scenes]
    photos[5] = tmp_path / "missing.png"
    photos[7] = b"broken"

    async def behave(received: Received) -> Response:
        if received.content == b"broken":
            return refuse(422, "broken_image")
        await asyncio.sleep(0.002 * (60 - decoded_height(received.content)))
        return await segment(received)

    service.behave = behave
    outcomes = predict_many(service.url, photos, concurrency=3)
    assert len(outcomes) == len(photos)
    for index, (scene, outcome) in enumerate(zip(scenes, outcomes, strict=True)):
        if index in {5, 7}:
            assert outcome.code == {5: "unreadable_file", 7: "broken_image"}[index]
        else:
            np.testing.assert_array_equal(outcome.labels, labels_of(scene))
    assert service.most_in_flight == 3


def test_a_busy_service_gets_through_many(service: StandIn, predict_many: Call) -> None:
    """It takes two at a time and refuses the others."""

    async def behave(received: Received) -> Response:
        if service.in_flight > 2:
            return refuse(429, "queue_full", retry_after="0")
        await asyncio.sleep(0.01)
        return await segment(received)

    service.behave = behave
    scenes = [draw_scene(20 + index, 30, seed=index) for index in range(12)]
    outcomes = predict_many(service.url, [encode_png(scene) for scene in scenes])
    for scene, outcome in zip(scenes, outcomes, strict=True):
        np.testing.assert_array_equal(outcome.labels, labels_of(scene))


def test_no_photos(service: StandIn, predict_many: Call) -> None:
    assert predict_many(service.url, []) == []


async def slow(received: Received) -> Response:
    await asyncio.sleep(0.05)
    return await segment(received)


def test_leaving_early_sends_no_more(service: StandIn) -> None:
    """Of eight that were taken on, two are in flight when the first is answered."""
    service.behave = slow
    with Client(service.url) as client:
        outcomes = client.predict_many([PNG] * 9, concurrency=2)
        with closing(outcomes):
            next(outcomes)
    assert len(service.received) < 8


def test_leaving_early_sends_no_more_async(service: StandIn) -> None:
    async def leave() -> None:
        async with (
            AsyncClient(service.url) as client,
            aclosing(client.predict_many([PNG] * 9, concurrency=2)) as outcomes,
        ):
            await anext(outcomes)

    service.behave = slow
    asyncio.run(leave())
    assert len(service.received) < 8


def test_progress_is_shown_where_it_is_asked_for(
    service: StandIn, predict_many: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    predict_many(service.url, [PNG] * 3)
    assert capsys.readouterr().err == ""
    predict_many(service.url, [PNG] * 3, progress=True)
    assert "3/3" in capsys.readouterr().err


def test_the_clients_have_the_same_methods() -> None:
    for name in ("__init__", "predict", "predict_many", "close"):
        sync, other = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        assert sync.parameters == other.parameters


def test_retry_after_as_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=100)
    seconds = parse_retry_after(format_datetime(later, usegmt=True))
    assert seconds is not None
    assert 0 < seconds <= 100
    assert parse_retry_after("Tue, 24 Nov 2015 10:00:00 GMT") == 0
    assert parse_retry_after("Tue, 24 Nov 2015 10:00:00 -0000") == 0


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "nan", "٣"])
def test_retry_after_that_says_nothing(value: str | None) -> None:
    assert parse_retry_after(value) is None
