"""The load generator against a real server, and the arithmetic of prices."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.photos import jpeg
from benchmarks.prices import instance
from benchmarks.serving.comparison import latencies_of
from benchmarks.serving.load import Load, Outcome, generate
from benchmarks.serving.server import plain
from droneseg.bundle import Bundle
from droneseg.images import decode_image
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene

pytestmark = pytest.mark.service

PHOTOS = 3


@pytest.fixture(scope="module")
def known(one_axis_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos with the labels that the Predictor gives them; those of the last are all wrong."""
    folder = tmp_path_factory.mktemp("known")
    predictor = Predictor(one_axis_bundle)
    for index in range(PHOTOS):
        photo = jpeg(draw_scene(64, 48, seed=index))
        (folder / f"{index}.jpg").write_bytes(photo)
        labels = predictor.segment([decode_image(photo)])[0].labels
        np.save(folder / f"{index}.npy", labels if index < PHOTOS - 1 else labels + 1)
    return folder


@pytest.fixture(scope="module")
def load(one_axis_bundle: Bundle, known: Path) -> Iterator[Load]:
    with plain("plain_engine", DRONESEG_MODEL=str(one_axis_bundle.path), BENCH_MODE="exact") as c:
        yield Load(url=str(c.base_url.join("/predict")), folder=str(known), photos=2, requests=12)


def test_a_closed_loop_sends_what_it_shall_and_compares_masks(load: Load) -> None:
    outcome = generate(replace(load, clients=4, warm_up=2))
    assert (len(outcome.latencies_s), outcome.errors, outcome.labels_equal) == (12, [], 1)
    assert generate(replace(load, clients=4, photos=PHOTOS)).labels_equal == 0


def test_an_open_loop_counts_from_when_a_request_was_due(load: Load) -> None:
    outcome = generate(replace(load, rate=1000.0))
    assert len(outcome.latencies_s) == 12
    # All are due at once, and one is answered after the other.
    assert max(outcome.latencies_s) > outcome.seconds / 2


def test_errors_are_counted(load: Load) -> None:
    outcome = generate(replace(load, url=f"{load.url}s", clients=1))
    assert outcome.errors == ["404"] * 12


def test_percentiles_are_those_of_all_latencies() -> None:
    seen = latencies_of(Outcome([float(value) for value in range(101)]))
    assert (seen["p50_s"], seen["p95_s"], seen["p99_s"]) == (50, 95, 99)


def test_a_thousand_images_cost_the_instance_s_time() -> None:
    assert instance(2, 4, gpu=False).dollars(images_a_second=1.0) == pytest.approx(0.044)
    assert instance(16, 64, gpu=True).dollars_a_second == pytest.approx(0.0002907)
