"""Sightings: what a request's photos were like, kept until its answer has gone out."""

import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from droneseg.descriptors import describe_photo
from droneseg.prediction_record import PredictionRecord
from droneseg.segmentation import Segmentation
from service.payloads import ServedModel
from service.plan import CHANNEL_NAMES
from service.request_id import logger
from service.settings import settings


def describe(photo: NDArray[np.uint8]) -> dict[str, float]:
    """Descriptors of a photo; none if that fails, for which no request is to fail."""
    try:
        return describe_photo(photo, CHANNEL_NAMES)
    except Exception:
        logger.exception("a photo could not be described")
        return {}


def fractions_of(segmentation: Segmentation) -> dict[str, float]:
    """Of each class, by its name."""
    return {area.label.name: area.fraction for area in segmentation.areas()}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A photo that was segmented.

    Attributes:
        model: what segmented it.
        mode: `exact` or `fast`.
        height, width: in px.
        stages: seconds of each stage, named as in `service.metrics.STAGES`.
        fractions: of each of the model's classes, whichever were asked for.
        confidence: mean, if it was asked for.
        descriptors: as `droneseg.descriptors` has them.
        filename: as the client gave it, if it did.
        seconds: from the photo's decoding to the end of its encoding.
        request_id: of the request.
    """

    model: ServedModel
    mode: str
    height: int
    width: int
    stages: dict[str, float]
    fractions: dict[str, float]
    confidence: float | None
    descriptors: dict[str, float]
    filename: str | None
    seconds: float
    request_id: str
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(self) -> PredictionRecord:
        """For the prediction log."""
        return PredictionRecord(
            id=uuid.uuid4().hex,
            time=self.time,
            request_id=self.request_id,
            model=self.model.name,
            model_hash=self.model.hash,
            mode=self.mode,
            engine=self.model.engine,
            precision=self.model.precision,
            width=self.width,
            height=self.height,
            descriptors=self.descriptors,
            fractions=self.fractions,
            latency_s=self.seconds,
            confidence=self.confidence,
            filename=self.filename if settings.log_filenames else None,
        )


# Of the request that is being worked on; what its tasks add, they all see.
SIGHTINGS: ContextVar[list[Sighting]] = ContextVar("sightings")


def see(photo: Sighting) -> None:
    """Keep a photo until the answer of its request has gone out."""
    SIGHTINGS.get().append(photo)
