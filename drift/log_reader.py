"""Reading the prediction log: every record once, of a time and a model."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from droneseg.prediction_record import PREDICTIONS, PredictionRecord, folder_of
from droneseg.store import Store


@dataclass(frozen=True, slots=True)
class LoggedPredictions:
    """What was found.

    Attributes:
        records: of the model, each once.
        others: how many records of other models there are in this time.
    """

    records: list[PredictionRecord]
    others: int


def read_predictions(
    store: Store, model_hash: str, since: datetime, until: datetime
) -> LoggedPredictions:
    """Records from `since` on, before `until`; both with a time zone."""
    found = {record.id: record for record in _all(store, since) if since <= record.time < until}
    ours = [record for record in found.values() if record.model_hash == model_hash]
    return LoggedPredictions(ours, len(found) - len(ours))


def _all(store: Store, since: datetime) -> Iterator[PredictionRecord]:
    """Of all batches that were begun on that day or later: none has records of later days."""
    first = folder_of(since.date())
    for name in store.names(PREDICTIONS):
        if name >= first and name.endswith(".jsonl"):
            yield from map(PredictionRecord.from_json, store.read(name).splitlines())
