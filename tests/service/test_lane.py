"""A lane, with the real model in this process; its engine waits for the test."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.engines import open_engine
from droneseg.errors import UnsupportedNetwork
from droneseg.machine import has_vnni
from droneseg.mode import Mode, Precision
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from tests.service.in_process import Lane, Photo, open_engines

TIMEOUT_S = 30
ONE_TILE = draw_scene(40, 40, seed=0)
# Two rows of three windows in `fast`, as tested below.
SIX_TILES = [draw_scene(100, 120, seed=seed) for seed in range(3)]


class HeldEngine:
    """The real one, which runs as often as it is let."""

    xp = np
    precision: Precision = "fp32"

    def __init__(self, bundle: Bundle):
        self._engine = open_engine(bundle, precision="fp32")
        self.fails = False
        self._lets = threading.Semaphore(0)
        self._begun = threading.Semaphore(0)
        self.batches: list[int] = []

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def batch_pixels(self) -> int:
        return self._engine.batch_pixels

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self.batches.append(len(tiles))
        self._begun.release()
        assert self._lets.acquire(timeout=TIMEOUT_S)
        if self.fails:
            self.fails = False
            raise MemoryError
        self._engine.run(tiles, out)

    def wait_until_it_begins(self) -> None:
        assert self._begun.acquire(timeout=TIMEOUT_S)

    def let(self, runs: int = 1000) -> None:
        self._lets.release(runs)


@pytest.fixture
def engine(two_folds_bundle: Bundle) -> Iterator[HeldEngine]:
    engine = HeldEngine(two_folds_bundle)
    yield engine
    engine.let()


@pytest.fixture
def wanted(tmp_path: Path) -> Path:
    """That there is somebody who waits."""
    path = tmp_path / "wanted"
    path.touch()
    return path


def lane_of(bundle: Bundle, engine: HeldEngine, batch_size: int) -> Lane:
    return Lane("test", {"fast": predictor_of(bundle, engine, batch_size=batch_size)})


def predictor_of(bundle: Bundle, engine: HeldEngine, **settings: Any) -> Predictor:
    return Predictor(bundle, engine=[engine], mode="fast", **settings)


def photo_of(image: NDArray[np.uint8], wanted: Path, **changes: Any) -> Photo:
    now = time.monotonic()
    mode: Mode = "fast"
    photo = Photo(
        image=image,
        mode=mode,
        probabilities=False,
        confidence=False,
        request_id="a",
        sent=now,
        deadline=now + TIMEOUT_S,
        wanted=str(wanted),
    )
    return photo | changes  # type: ignore[return-value]


def assert_labels(outcome: dict[str, Any], image: NDArray[np.uint8], bundle: Bundle) -> None:
    (expected,) = Predictor(bundle, mode="fast", precision="fp32").segment([image])
    np.testing.assert_array_equal(outcome["labels"], expected.labels)
    assert outcome["predict_ms"] == pytest.approx(sum(outcome["stages"].values()) * 1000)


def test_what_comes_while_the_model_is_busy_goes_together(
    two_folds_bundle: Bundle, engine: HeldEngine, wanted: Path
) -> None:
    lane = lane_of(two_folds_bundle, engine, batch_size=8)
    images = [draw_scene(40, 40, seed=seed) for seed in range(5)]
    outcomes = [lane.submit(photo_of(images[0], wanted))]
    engine.wait_until_it_begins()
    outcomes += [lane.submit(photo_of(image, wanted)) for image in images[1:]]
    engine.let()
    for image, outcome in zip(images, outcomes, strict=True):
        assert_labels(outcome.result(TIMEOUT_S), image, two_folds_bundle)
    assert engine.batches == [1, 4]


def test_a_photo_joins_those_that_are_on_their_way(
    two_folds_bundle: Bundle, engine: HeldEngine, wanted: Path
) -> None:
    lane = lane_of(two_folds_bundle, engine, batch_size=5)
    lane.submit(photo_of(ONE_TILE, wanted))
    engine.wait_until_it_begins()
    outcomes = [lane.submit(photo_of(image, wanted)) for image in SIX_TILES[:2]]
    engine.let(1)
    engine.wait_until_it_begins()
    outcomes.append(lane.submit(photo_of(SIX_TILES[2], wanted)))
    engine.let()
    for image, outcome in zip(SIX_TILES, outcomes, strict=True):
        assert_labels(outcome.result(TIMEOUT_S), image, two_folds_bundle)
    # And not 5, 5, 2 for two photos and then 5, 1.
    assert engine.batches == [1, 5, 5, 5, 3]


def test_an_answer_waits_for_no_other_photo(
    two_folds_bundle: Bundle, engine: HeldEngine, wanted: Path
) -> None:
    lane = lane_of(two_folds_bundle, engine, batch_size=1)
    first = lane.submit(photo_of(ONE_TILE, wanted))
    second = lane.submit(photo_of(SIX_TILES[0], wanted))
    engine.let(1)
    assert_labels(first.result(TIMEOUT_S), ONE_TILE, two_folds_bundle)
    engine.let(5)
    with pytest.raises(TimeoutError):
        second.result(0.2)
    engine.let(1)
    assert_labels(second.result(TIMEOUT_S), SIX_TILES[0], two_folds_bundle)


def test_a_photo_that_fails_takes_no_other_with_it(
    two_folds_bundle: Bundle, engine: HeldEngine, wanted: Path
) -> None:
    lane = lane_of(two_folds_bundle, engine, batch_size=8)
    two_channels = np.ascontiguousarray(ONE_TILE[..., :2])
    good = [lane.submit(photo_of(ONE_TILE, wanted))]
    engine.wait_until_it_begins()
    good.append(lane.submit(photo_of(ONE_TILE, wanted)))
    bad = lane.submit(photo_of(two_channels, wanted))
    good.append(lane.submit(photo_of(ONE_TILE, wanted)))
    engine.let()
    for outcome in good:
        assert_labels(outcome.result(TIMEOUT_S), ONE_TILE, two_folds_bundle)
    assert bad.result(TIMEOUT_S) == {"error": "prediction_failed"}


def test_after_the_engine_failed_each_photo_is_tried_alone(
    two_folds_bundle: Bundle, engine: HeldEngine, wanted: Path
) -> None:
    lane = lane_of(two_folds_bundle, engine, batch_size=1)
    lane.submit(photo_of(ONE_TILE, wanted))
    engine.wait_until_it_begins()
    outcomes = [lane.submit(photo_of(ONE_TILE, wanted)) for _ in range(4)]
    engine.let(1)
    engine.wait_until_it_begins()
    engine.fails = True
    engine.let()
    for outcome in outcomes:
        assert_labels(outcome.result(TIMEOUT_S), ONE_TILE, two_folds_bundle)


def test_what_nobody_waits_for_is_not_computed(
    two_folds_bundle: Bundle, engine: HeldEngine, wanted: Path
) -> None:
    lane = lane_of(two_folds_bundle, engine, batch_size=1)
    first = lane.submit(photo_of(ONE_TILE, wanted))
    engine.wait_until_it_begins()
    gone = lane.submit(photo_of(ONE_TILE, wanted.with_name("gone")))
    late = lane.submit(photo_of(ONE_TILE, wanted, deadline=time.monotonic()))
    cancelled = lane.submit(photo_of(ONE_TILE, wanted))
    assert cancelled.cancel()
    last = lane.submit(photo_of(ONE_TILE, wanted))
    engine.let()
    for outcome in (first, last):
        assert_labels(outcome.result(TIMEOUT_S), ONE_TILE, two_folds_bundle)
    for outcome in (gone, late):
        assert outcome.result(TIMEOUT_S) == {"error": "deadline_exceeded"}
    assert engine.batches == [1, 1]


def test_photos_with_other_options_wait_for_their_turn(
    two_folds_bundle: Bundle, engine: HeldEngine, wanted: Path
) -> None:
    lane = lane_of(two_folds_bundle, engine, batch_size=8)
    engine.let()
    choices = [
        {"probabilities": index % 3 == 0, "confidence": index % 2 == 0} for index in range(9)
    ]
    outcomes = [lane.submit(photo_of(ONE_TILE, wanted, **chosen)) for chosen in choices]
    for outcome, chosen in zip(outcomes, choices, strict=True):
        result = outcome.result(TIMEOUT_S)
        assert_labels(result, ONE_TILE, two_folds_bundle)
        assert {name: result[name] is not None for name in chosen} == chosen


def test_modes_share_an_engine_that_suits_both(
    two_folds_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("droneseg.engines.has_amx", lambda: False)
    monkeypatch.setattr("droneseg.engines.winograd.engine.has_vnni", lambda: False)
    engines = open_engines(two_folds_bundle)
    assert engines["fast"] is engines["exact"]


@pytest.mark.skipif(not has_vnni(), reason="the processor has no AVX-512 VNNI")
def test_modes_that_compute_in_something_else_have_engines_of_their_own(
    two_folds_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("droneseg.engines.has_amx", lambda: False)
    opened = open_engines(two_folds_bundle)
    precisions = {mode: engines[0].precision for mode, engines in opened.items()}
    assert precisions == {"exact": "fp32", "fast": "int16"}


def test_a_network_that_the_best_engine_refuses_is_opened_for_each_mode(
    two_folds_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise UnsupportedNetwork(f"no {path}")

    monkeypatch.setattr("droneseg.engines.winograd.engine.Graph", refuse)
    engines = open_engines(two_folds_bundle)
    assert {mode: opened[0].name for mode, opened in engines.items()} == {
        "exact": "openvino-cpu",
        "fast": "openvino-cpu",
    }
    assert engines["exact"][0].precision == "fp32"
