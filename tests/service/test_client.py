"""The client and `droneseg predict --url` against the real service."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from droneseg.bundle import Bundle
from droneseg.cli import main
from droneseg.client import AsyncClient, Client, ClientError, Prediction, ServiceError
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import Segmentation, encode_png
from tests.service.server import Server, serve

pytestmark = pytest.mark.service

SCENES = [draw_scene(50 + seed, 60 + 3 * seed, seed=seed) for seed in range(24)]
KEY = "a key for the tests"


@pytest.fixture(scope="module")
def expected(two_folds_bundle: Bundle) -> list[Segmentation]:
    return Predictor(two_folds_bundle).segment(SCENES)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"photo{index:02}.png" for index in range(len(SCENES))]
    for path, scene in zip(paths, SCENES, strict=True):
        path.write_bytes(encode_png(scene))
    return paths


@pytest.fixture(scope="module")
def narrow(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key and has room for one photo."""
    settings = {
        "DRONESEG_MODEL": str(two_folds_bundle.path),
        "DRONESEG_API_KEYS": KEY,
        "DRONESEG_MAX_QUEUE": "1",
    }
    with serve(tmp_path_factory.mktemp("narrow"), **settings) as running:
        running.wait_until_ready()
        yield running


def assert_own_masks(
    outcomes: list[Prediction | ClientError], expected: list[Segmentation]
) -> None:
    for outcome, segmentation in zip(outcomes, expected, strict=True):
        assert isinstance(outcome, Prediction), outcome
        np.testing.assert_array_equal(outcome.labels, segmentation.labels)


def test_an_answer(server: Server, photos: list[Path], expected: list[Segmentation]) -> None:
    with Client(server.url) as client:
        prediction = client.predict(photos[3], gsd_cm=10, rle=True)
    wanted = expected[3]
    np.testing.assert_array_equal(prediction.labels, wanted.labels)
    np.testing.assert_array_equal(prediction.segmentation.color(), wanted.color())
    assert prediction.filename == "photo03.png"
    assert prediction.request_id
    assert prediction.classes_found == tuple(wanted.classes_found)
    assert [area.pixels for area in prediction.classes] == wanted.pixel_counts.tolist()
    assert prediction.model.name == "two_folds"
    assert prediction.timings_ms["predict"] > 0
    for area in prediction.classes:
        assert area.square_metres == pytest.approx(area.pixels * 0.01)
        assert area.fraction == pytest.approx(area.pixels / wanted.labels.size)
    assert prediction.answer["rle"]


@pytest.mark.parametrize("render", ["color", "overlay", "none"])
def test_other_renderings_are_no_labels(server: Server, photos: list[Path], render: str) -> None:
    with Client(server.url) as client:
        prediction = client.predict(photos[0], render=render)
    assert (prediction.png is None) == (render == "none")
    with pytest.raises(ClientError, match="render='labels'"):
        _ = prediction.labels


def test_many(server: Server, photos: list[Path], expected: list[Segmentation]) -> None:
    with Client(server.url) as client:
        assert_own_masks(list(client.predict_many(photos, concurrency=8)), expected)


def test_many_by_asyncio(server: Server, photos: list[Path], expected: list[Segmentation]) -> None:
    async def call() -> list[Prediction | ClientError]:
        async with AsyncClient(server.url) as client:
            return [outcome async for outcome in client.predict_many(photos, concurrency=8)]

    assert_own_masks(asyncio.run(call()), expected)


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"hello", 415, "unsupported_image"), (encode_png(SCENES[0])[:-200], 422, "broken_image")],
)
def test_errors(server: Server, content: bytes, status: int, code: str) -> None:
    with Client(server.url) as client, pytest.raises(ServiceError) as caught:
        client.predict(content)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.request_id


def test_an_option_that_is_none(server: Server, photos: list[Path]) -> None:
    with Client(server.url) as client, pytest.raises(ServiceError, match="rendr"):
        client.predict(photos[0], rendr="labels")


def test_a_full_queue_is_waited_for(
    narrow: Server, photos: list[Path], expected: list[Segmentation]
) -> None:
    with Client(narrow.url, api_key=KEY) as client:
        assert_own_masks(list(client.predict_many(photos[:8], concurrency=3)), expected[:8])


def test_a_key_is_wanted(
    narrow: Server, photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", str(photos[0]), "-o", str(tmp_path), "--url", narrow.url]
    assert main([*arguments, "--api-key", "another"]) == 1
    assert capsys.readouterr().err.count("error [unauthorized]") == 1
    assert main([*arguments, "--api-key", KEY]) == 0


def test_the_command_writes_the_same_files_by_either_way(
    server: Server, photos: list[Path], two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    folder = photos[0].parent

    def files(name: str, *where: str) -> dict[str, bytes]:
        out = tmp_path / name
        assert main(["predict", str(folder), "-o", str(out), *where]) == 0
        return {path.name: path.read_bytes() for path in out.iterdir()}

    local = files("local", "--model", str(two_folds_bundle.path))
    assert len(local) == 3 * len(photos)
    assert files("remote", "--url", server.url) == local
