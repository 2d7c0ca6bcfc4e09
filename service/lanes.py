"""Lanes: small photos go past large ones; their network batches take turns on the engine."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from droneseg.bundle import Bundle
from droneseg.engines import Engine, best_choice
from droneseg.engines.shared import FairLock, SharedEngine, shared
from droneseg.mode import Mode
from droneseg.predictor import Predictor
from service import metrics
from service.lane import Lane, Outcome
from service.photo import Photo
from service.settings import settings

# Of which /model_info gives the versions, where they are installed.
PACKAGES = (
    "droneseg", "bentoml", "numpy", "openvino", "onnxruntime", "onnxruntime-gpu", "tensorrt",
    "tensorrt-rtx-cu12", "cupy-cuda12x",
)  # fmt: skip


class Lanes:
    """The model, once, behind two lanes."""

    def __init__(self, model_path: Path):
        """Open the model, whose engines prove themselves on the probe tiles."""
        bundle = Bundle.load(model_path)
        self._engines = open_engines(bundle)
        self._small, self._large = (
            Lane(name, open_predictors(bundle, self._engines)) for name in ("small", "large")
        )

    def submit(self, photo: Photo) -> Future[Outcome]:
        """Let a photo wait for its turn among those of about its size."""
        height, width = photo["image"].shape[:2]
        lane = self._small if height * width <= settings.small_pixels else self._large
        return lane.submit(photo)

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
        runtime, precision = best_choice(mode)
        # What the mode would open is there already: large networks are not read twice.
        engines = next(
            (
                engines
                for (name, computed_in), engines in opened.items()
                if name.startswith(runtime) and computed_in == precision
            ),
            None,
        )
        if engines is None:
            own = Predictor(bundle, mode=mode).engines
            alike = (own[0].name, own[0].precision)
            engines = opened.setdefault(alike, [shared(engine, turns) for engine in own])
        modes[mode] = engines
    return modes


def open_predictors(
    bundle: Bundle, engines: Mapping[Mode, Sequence[Engine]]
) -> dict[Mode, Predictor]:
    """A predictor for each mode, with buffers of its own."""
    return {
        mode: Predictor(
            bundle,
            engine=opened,
            mode=mode,
            batch_size=settings.batch_size,
            on_batch=metrics.observe_batch,
        )
        for mode, opened in engines.items()
    }
