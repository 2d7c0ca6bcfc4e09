"""Lanes: small photos go past large ones; their network batches take turns on the engine."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, get_args

from droneseg.bundle import Bundle
from droneseg.engines import Engine
from droneseg.engines.shared import FairLock, SharedEngine
from droneseg.mode import Mode
from droneseg.normalization import ImageArray
from droneseg.predictor import Predictor
from service import metrics
from service.errors import DeadlineExceeded, PredictionFailed
from service.request_id import logger

# Of which /model_info gives the versions, where they are installed.
PACKAGES = (
    "droneseg", "bentoml", "numpy", "openvino", "onnxruntime", "onnxruntime-gpu", "tensorrt",
    "tensorrt-rtx-cu12", "cupy-cuda12x",
)  # fmt: skip


class Wanted(NamedTuple):
    """What photos have to share to go through the network together."""

    mode: Mode
    probabilities: bool
    confidence: bool


class Lane:
    """Predictors of every mode with buffers of their own; for one batch at a time."""

    def __init__(self, bundle: Bundle, engines: Mapping[Mode, Sequence[Engine]]):
        """Make a predictor for each mode."""
        # A call that BentoML gives up goes on in its thread, when the next one may already begin.
        self._turn = threading.Lock()
        self._predictors = {
            mode: Predictor(bundle, engine=opened, mode=mode) for mode, opened in engines.items()
        }

    def segment(self, photos: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """An outcome for each photo, in order; see Runner."""
        with self._turn:
            return self._segment(photos)

    def _segment(self, photos: list[dict[str, Any]]) -> list[dict[str, Any]]:
        begun = time.monotonic()
        outcomes: list[dict[str, Any]] = [{"error": DeadlineExceeded.code} for _ in photos]
        for wanted, indices in _alike(photos, begun).items():
            results = self._segment_alike(wanted, [photos[index] for index in indices])
            for index, result in zip(indices, results, strict=True):
                outcomes[index] = result
        predict_ms = (time.monotonic() - begun) * 1000
        for photo, outcome in zip(photos, outcomes, strict=True):
            outcome["queue_ms"] = (begun - photo["sent"]) * 1000
            outcome["predict_ms"] = predict_ms
        return outcomes

    def _segment_alike(
        self, wanted: Wanted, photos: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Photos with the same options; one by one if they fail together."""
        images: list[ImageArray] = [photo["image"] for photo in photos]
        predictor = self._predictors[wanted.mode]
        before = predictor.times.copy()
        try:
            results = predictor.segment(
                images, probabilities=wanted.probabilities, confidence=wanted.confidence
            )
        except Exception:
            logger.exception("failed: %s", ", ".join(photo["request_id"] for photo in photos))
            if len(photos) > 1:
                return [self._segment_alike(wanted, [photo])[0] for photo in photos]
            return [{"error": PredictionFailed.code}]
        times = predictor.times.since(before)
        metrics.observe_batch([image.shape[0] * image.shape[1] for image in images], times.tiles)
        stages = {
            "preprocess": times.preprocess_s,
            "network": times.network_s,
            "stitch": times.stitch_s,
        }
        return [
            {
                "labels": result.labels,
                "probabilities": result.probabilities,
                "confidence": result.confidence,
                "stages": stages,
            }
            for result in results
        ]


def _alike(photos: list[dict[str, Any]], now: float) -> dict[Wanted, list[int]]:
    """Where photos with the same options are, but for those that nobody waits for any longer."""
    groups: dict[Wanted, list[int]] = {}
    for index, photo in enumerate(photos):
        if not Path(photo["wanted"]).exists():
            logger.info("photo %s is not computed: nobody waits for it", photo["request_id"])
        elif photo["deadline"] <= now:
            logger.warning("photo %s is not computed: its deadline has passed", photo["request_id"])
        else:
            wanted = Wanted(photo["mode"], photo["probabilities"], photo["confidence"])
            groups.setdefault(wanted, []).append(index)
    return groups


class Lanes:
    """The model, once, behind two lanes."""

    def __init__(self, model_path: Path):
        """Open the model, whose engines prove themselves on the probe tiles."""
        bundle = Bundle.load(model_path)
        self._engines = open_engines(bundle)
        self.small = Lane(bundle, self._engines)
        self.large = Lane(bundle, self._engines)

    def info(self) -> dict[str, Any]:
        """Engine and precision of each mode, and versions, as JSON types."""
        modes = {
            mode: {"engine": opened[0].name, "precision": opened[0].precision}
            for mode, opened in self._engines.items()
        }
        versions = {}
        for name in PACKAGES:
            with suppress(PackageNotFoundError):
                versions[name] = version(name)
        return {"modes": modes, "versions": versions}


def open_engines(bundle: Bundle) -> dict[Mode, list[SharedEngine]]:
    """For each mode an engine a member; modes share them where they compute alike."""
    turns = FairLock()
    opened: dict[tuple[str, str], list[SharedEngine]] = {}
    modes: dict[Mode, list[SharedEngine]] = {}
    for mode in get_args(Mode):
        engines = Predictor(bundle, mode=mode).engines
        alike = (engines[0].name, engines[0].precision)
        modes[mode] = opened.setdefault(alike, [SharedEngine(e, turns) for e in engines])
    return modes
