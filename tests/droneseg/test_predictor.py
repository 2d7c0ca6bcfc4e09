from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.engines import open_engine
from droneseg.errors import InvalidArray
from droneseg.label_manager import argmax
from droneseg.mode import Precision
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene


class CountingEngine:
    """Notes the size of every batch."""

    precision: Precision = "fp32"
    xp = np

    def __init__(self, bundle: Bundle):
        self._engine = open_engine(bundle)
        self.batches: list[int] = []

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def batch_pixels(self) -> int:
        return self._engine.batch_pixels

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self.batches.append(len(tiles))
        self._engine.run(tiles, out)


def test_tiles_of_many_photos_share_batches(two_folds_bundle: Bundle) -> None:
    engine = CountingEngine(two_folds_bundle)
    predictor = Predictor(two_folds_bundle, engine=[engine], batch_size=4)
    photos = [draw_scene(60, 40, seed=seed) for seed in range(6)]
    results = predictor.segment(photos)
    assert [result.labels.shape for result in results] == [(60, 40)] * 6
    mirrorings = 4
    assert engine.batches == [4] * mirrorings + [2] * mirrorings


def test_a_long_series_is_taken_only_as_the_batches_need_it(two_folds_bundle: Bundle) -> None:
    predictor = Predictor(two_folds_bundle, batch_size=2)
    taken = 0

    def series() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for seed in range(20):
            taken += 1
            yield draw_scene(60, 40, seed=seed)

    stream = predictor.stream(series())
    next(stream)
    # Two for the first batch, and one ahead.
    assert taken <= 3
    assert len(list(stream)) == 19


def test_no_photos_give_no_results(two_folds_bundle: Bundle) -> None:
    assert Predictor(two_folds_bundle).segment([]) == []


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float64),
        np.full((4, 4, 3), np.nan, np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused_with_their_shape(
    two_folds_bundle: Bundle, array: NDArray[np.uint8]
) -> None:
    with pytest.raises(InvalidArray, match=f"{array.dtype}|no numbers"):
        Predictor(two_folds_bundle).segment([array])


def test_argmax_is_numpys() -> None:
    logits = np.random.default_rng(0).integers(0, 5, (7, 50, 40)).astype(np.float32)
    np.testing.assert_array_equal(argmax(logits), logits.argmax(axis=0))


def test_the_label_map_is_the_argmax_of_the_logits(two_folds_bundle: Bundle) -> None:
    predictor = Predictor(two_folds_bundle)
    photo = draw_scene(90, 130, seed=3)
    (result,) = predictor.segment([photo])
    np.testing.assert_array_equal(result.labels, predictor.trace(photo).logits[0].argmax(axis=0))
