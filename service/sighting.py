"""Sightings: what a request's photos were like, kept until its answer has gone out."""

import uuid
from asyncio import Task
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from droneseg.prediction_record import PredictionRecord
from service.payloads import ServedModel
from service.settings import settings


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
        descriptors: as `droneseg.descriptors` has them; being taken meanwhile.
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
    descriptors: Task[dict[str, float]]
    filename: str | None
    seconds: float
    request_id: str
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def record(self) -> PredictionRecord:
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
            descriptors=await self.descriptors,
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
