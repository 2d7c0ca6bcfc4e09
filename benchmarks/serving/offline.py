"""The Predictor without a server: the labels to expect, and the rate to come near."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from droneseg.mode import Mode
from droneseg.predictor import Predictor

Photos = Sequence[NDArray[np.uint8]]
Result = TypeVar("Result")

# Tiles; None is what the Predictor takes by itself.
BATCH_SIZES = (None, 4)


@dataclass(frozen=True)
class Offline:
    """A bundle, with which processes of their own segment."""

    model: Path

    def labels(self, mode: Mode, photos: Photos) -> list[NDArray[np.uint8]]:
        """Label maps of the photos."""
        return _elsewhere(_labels, self.model, mode, photos)

    def best_rate(self, mode: Mode, photos: Photos, at_least_s: float) -> float:
        """Photos a second of the best batch size, each of which gets this much time."""
        return max(
            self.rate(photos, at_least_s, mode=mode, batch_size=size) for size in BATCH_SIZES
        )

    def rate(self, photos: Photos, at_least_s: float, **settings: object) -> float:
        """Photos a second, with a Predictor of these settings."""
        return _elsewhere(_rate, self.model, settings, photos, at_least_s)


def _elsewhere(do: Callable[..., Result], *arguments: object) -> Result:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(do, *arguments).result()


def _labels(model: Path, mode: Mode, photos: Photos) -> list[NDArray[np.uint8]]:
    return [segmentation.labels for segmentation in Predictor(model, mode=mode).segment(photos)]


def _rate(model: Path, settings: dict[str, Any], photos: Photos, at_least_s: float) -> float:
    predictor = Predictor(model, **settings)
    predictor.segment(photos[:1])
    done, start = 0, time.perf_counter()
    while (spent_s := time.perf_counter() - start) < at_least_s:
        done += len(predictor.segment(photos))
    return done / spent_s
