"""Many clients at once, each of whom gets the masks of their own photos."""

import base64
import io
import random
from collections.abc import Callable, Sequence
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
from droneseg.segmentation import encode_png
from tests.service.server import Server, serve

pytestmark = pytest.mark.service

CLIENTS = 32
REQUESTS = 600
MIN_MEAN_PHOTOS = 2
SMALL_PIXELS = 1500
TIMEOUT_S = 120
Photos = Sequence[NDArray[np.uint8]]
Masks = list[NDArray[np.uint8]]
Send = Callable[[httpx.Client, Photos], Masks]


def by_form(client: httpx.Client, photos: Photos) -> Masks:
    answer = client.post("/predict", files={"data": encode_png(photos[0])})
    return [mask(answer.raise_for_status().json())]


def by_base64(client: httpx.Client, photos: Photos) -> Masks:
    image_b64 = base64.b64encode(encode_png(photos[0])).decode()
    answer = client.post("/predict_base64", json={"req": {"image_b64": image_b64}})
    return [mask(answer.raise_for_status().json())]


def as_png(client: httpx.Client, photos: Photos) -> Masks:
    headers = {"Content-Type": "image/png", "Accept": "image/png"}
    answer = client.post("/predict_image_bytes", content=encode_png(photos[0]), headers=headers)
    return [np.asarray(Image.open(io.BytesIO(answer.raise_for_status().content)))]


def in_a_batch(client: httpx.Client, photos: Photos) -> Masks:
    files = [("data", ("photo.png", encode_png(photo))) for photo in photos]
    answer = client.post("/batch_predict/", files=files)
    return [mask(entry) for entry in answer.raise_for_status().json()]


def mask(answer: dict[str, Any]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["segmentation_mask"]))))


# A batch has two photos, the others one.
SENDERS: tuple[Send, ...] = (by_form, by_base64, as_png, in_a_batch)


def draw(index: int) -> Photos:
    """The photos of a request, unlike those of any other."""
    choice = random.Random(index)
    count = 2 if SENDERS[index % len(SENDERS)] is in_a_batch else 1
    return [
        draw_scene(choice.randint(20, 70), choice.randint(20, 60), seed=2 * index + i)
        for i in range(count)
    ]


def assert_own_masks(server: Server, bundle: Bundle, count: int) -> list[Photos]:
    """Send requests by many clients at once and compare every mask; returns their photos."""
    requests = [draw(index) for index in range(count)]
    with (
        ThreadPoolExecutor(CLIENTS) as pool,
        httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as client,
    ):
        answers = list(
            pool.map(
                lambda index: SENDERS[index % len(SENDERS)](client, requests[index]), range(count)
            )
        )
    predictor = Predictor(bundle)
    for request, masks in zip(requests, answers, strict=True):
        for segmentation, received in zip(predictor.segment(request), masks, strict=True):
            np.testing.assert_array_equal(received, segmentation.color())
    return requests


def test_every_client_gets_the_masks_of_its_own_photos(
    server: Server, two_folds_bundle: Bundle
) -> None:
    before = photos_in_batches(server)
    assert_own_masks(server, two_folds_bundle, REQUESTS)
    photos, batches = (
        after - start for after, start in zip(photos_in_batches(server), before, strict=True)
    )
    assert photos / batches > MIN_MEAN_PHOTOS


def test_lanes_that_share_the_engine_do_not_mix_photos_up(
    two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    settings = {
        "DRONESEG_MODEL": str(two_folds_bundle.path),
        "DRONESEG_SMALL_PIXELS": str(SMALL_PIXELS),
    }
    with serve(tmp_path, **settings) as server:
        server.wait_until_ready()
        requests = assert_own_masks(server, two_folds_bundle, REQUESTS // 4)
    sizes = [photo.shape[0] * photo.shape[1] for request in requests for photo in request]
    assert min(sizes) <= SMALL_PIXELS < max(sizes)


def photos_in_batches(server: Server) -> tuple[float, float]:
    """The sum of how many photos were in each batch of the network, and how many batches."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()

    def value(suffix: str) -> float:
        named = [line for line in lines if line.startswith(f"droneseg_batch_photos_{suffix} ")]
        return sum(float(line.split()[-1]) for line in named)

    return value("sum"), value("count")
