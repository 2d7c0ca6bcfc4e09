"""PredictionRecord: what the prediction log keeps of a prediction, and under which names."""

from dataclasses import dataclass, field
from datetime import date, datetime

from pydantic import TypeAdapter

# Below the URL of a log: records, and the reports that are made of them.
PREDICTIONS = "predictions"
REPORTS = "drift"


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One prediction; it has no pixels.

    Attributes:
        id: of this prediction; a record that a reader meets twice is one.
        time: when it was made, UTC.
        request_id: of the request, which may have had several photos.
        model, model_hash: name and content hash of the bundle.
        mode, engine, precision: what ran it.
        width, height: of the photo in px.
        descriptors: as `droneseg.descriptors` has them.
        fractions: share of each class, by its name.
        latency_s: from the photo's decoding to the end of its encoding.
        confidence: mean, where it was asked for.
        filename: where it is configured.
    """

    id: str
    time: datetime
    request_id: str
    model: str
    model_hash: str
    mode: str
    engine: str
    precision: str
    width: int
    height: int
    descriptors: dict[str, float] = field(default_factory=dict)
    fractions: dict[str, float] = field(default_factory=dict)
    latency_s: float = 0.0
    confidence: float | None = None
    filename: str | None = None

    def as_json(self) -> bytes:
        """One line, without its end."""
        return _ADAPTER.dump_json(self)

    @classmethod
    def from_json(cls, line: bytes) -> "PredictionRecord":
        """Read a line.

        Raises:
            pydantic.ValidationError: it is none of a record.
        """
        return _ADAPTER.validate_json(line)


_ADAPTER = TypeAdapter(PredictionRecord)


def folder_of(day: date) -> str:
    """Where the batches of a day lie."""
    return f"{PREDICTIONS}/date={day.isoformat()}"


def batch_name(begun: datetime, batch_id: str) -> str:
    """The file of a batch; written twice, it is still one."""
    return f"{folder_of(begun.date())}/{begun:%H%M%S}-{batch_id}.jsonl"
