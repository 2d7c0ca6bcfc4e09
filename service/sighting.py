"""Sightings: what a request's photos were like, kept until its answer has gone out."""

import asyncio
import uuid
from asyncio import Task
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droneseg.descriptors import describe_photo
from droneseg.prediction_record import PredictionRecord
from droneseg.segmentation import Segmentation
from service.payloads import ServedModel
from service.plan import CHANNEL_NAMES
from service.settings import settings


class Look(NamedTuple):
    """What is seen on a photo.

    Attributes:
        descriptors: as `droneseg.descriptors` has them.
        fractions: of each of the model's classes, whichever were asked for.
    """

    descriptors: dict[str, float]
    fractions: dict[str, float]


async def look_at(photo: NDArray[np.uint8], segmentation: Segmentation) -> Look:
    """Look at a photo and at its labels, in a thread."""
    return await asyncio.to_thread(_look_at, photo, segmentation)


def _look_at(photo: NDArray[np.uint8], segmentation: Segmentation) -> Look:
    fractions = {area.label.name: area.fraction for area in segmentation.areas()}
    return Look(describe_photo(photo, CHANNEL_NAMES), fractions)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A photo that was segmented.

    Attributes:
        model: what segmented it.
        mode: `exact` or `fast`.
        height, width: in px.
        stages: seconds of each stage, named as in `service.metrics.STAGES`.
        confidence: mean, if it was asked for.
        look: being taken, or taken.
        filename: as the client gave it, if it did.
        seconds: from the photo's decoding to the end of its encoding.
        request_id: of the request.
    """

    model: ServedModel
    mode: str
    height: int
    width: int
    stages: dict[str, float]
    confidence: float | None
    look: Task[Look]
    filename: str | None
    seconds: float
    request_id: str
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(self, look: Look) -> PredictionRecord:
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
            descriptors=look.descriptors,
            fractions=look.fractions,
            latency_s=self.seconds,
            confidence=self.confidence,
            filename=self.filename if settings.log_filenames else None,
        )


# Of the request that is being worked on; what its tasks add, they all see.
SIGHTINGS: ContextVar[list[Sighting]] = ContextVar("sightings")


def see(photo: Sighting) -> None:
    """Keep a photo until the answer of its request has gone out."""
    SIGHTINGS.get().append(photo)
