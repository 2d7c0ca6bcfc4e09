"""The prediction log: a record a prediction, written in batches when the answers have gone out."""

import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    stop_when_event_set,
    wait_random_exponential,
)

from droneseg.prediction_record import PredictionRecord, batch_name
from droneseg.store import Store
from service import metrics
from service.request_id import logger
from service.settings import settings

BATCH_RECORDS = 500
# A batch that does not fill is written after so long.
FLUSH_EVERY_S = 10.0
# About 700 bytes each. A store may be down for as long as it takes to fill this.
BUFFER_RECORDS = 20_000
MAX_BACKOFF_S = 30.0
# gcsfs would try for half a minute by itself, and not hear of SIGTERM meanwhile.
WRITE_TIMEOUT_S = 4.0
# Cloud Run kills 10 s after SIGTERM.
CLOSE_S = 8.0
LAST_BACKOFF_S = 0.25
STDOUT = "-"

Write = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are written as one file, whose name they keep however often that is tried."""

    records: list[PredictionRecord]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def name(self) -> str:
        """Of its file."""
        return batch_name(self.begun, self.id)

    def as_json_lines(self) -> bytes:
        """What is in the file."""
        return b"".join(record.as_json() + b"\n" for record in self.records)


class PredictionLog:
    """Takes records without waiting, and writes them in a thread of its own."""

    def __init__(self, write: Write):
        """Start empty; the thread starts with the first record.

        Args:
            write: writes a file by its name, or raises anything. It is called again until it
                succeeds, with the same name and bytes.
        """
        self._write = write
        self._waiting: deque[PredictionRecord] = deque()
        # Those that wait, and those of the batch that is being written.
        self._unwritten = 0
        self._changed = threading.Condition()
        self._closing, self._given_up = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, record: PredictionRecord) -> None:
        """Take a record, or count it as dropped if the buffer is full or the log is closed."""
        with self._changed:
            if self._unwritten >= BUFFER_RECORDS or self._closing.is_set():
                metrics.LOG_DROPPED.inc()
                return
            self._waiting.append(record)
            self._count(1)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="prediction-log", daemon=True
                )
                self._thread.start()
            if len(self._waiting) == BATCH_RECORDS:
                self._changed.notify()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Write what there is within a time, and count as dropped what is left."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._given_up.set()
        if self._unwritten:
            metrics.LOG_DROPPED.inc(self._unwritten)
            logger.error("%d prediction records could not be written", self._unwritten)

    def _run(self) -> None:
        while (batch := self._next()) and self._write_until_it_succeeds(batch):
            metrics.LOG_WRITTEN.inc(len(batch.records))
            with self._changed:
                self._count(-len(batch.records))

    def _next(self) -> Batch | None:
        """What waits, when it is a full batch or has waited; None at the end."""
        with self._changed:
            while True:
                full = self._changed.wait_for(self._is_due, FLUSH_EVERY_S)
                if self._waiting:
                    count = min(len(self._waiting), BATCH_RECORDS)
                    return Batch([self._waiting.popleft() for _ in range(count)])
                if full:
                    return None

    def _is_due(self) -> bool:
        return len(self._waiting) >= BATCH_RECORDS or self._closing.is_set()

    def _write_until_it_succeeds(self, batch: Batch) -> bool:
        """Whether it did before the log was given up."""
        lines = batch.as_json_lines()
        retrying = Retrying(
            wait=wait_random_exponential(max=MAX_BACKOFF_S),
            stop=stop_when_event_set(self._given_up),
            sleep=self._sleep,
            before_sleep=lambda state: _tell(batch, state),
        )
        try:
            retrying(self._write, batch.name, lines)
        except RetryError:
            return False
        return True

    def _sleep(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            self._given_up.wait(LAST_BACKOFF_S)

    def _count(self, records: int) -> None:
        self._unwritten += records
        metrics.LOG_BUFFERED.set(self._unwritten)


def _tell(batch: Batch, state: RetryCallState) -> None:
    metrics.LOG_RETRIED.inc(len(batch.records))
    error = state.outcome.exception() if state.outcome else None
    logger.warning("prediction log: %d records are tried again: %r", len(batch.records), error)


def open_log(url: str) -> PredictionLog | None:
    """The log that DRONESEG_LOG_URL names, if it names one."""
    if not url:
        return None
    if url == STDOUT:
        return PredictionLog(_print)
    return PredictionLog(partial(Store(url).write, timeout_s=WRITE_TIMEOUT_S))


def _print(_: str, lines: bytes) -> None:
    """Each record as a JSON line of its own, which a log sink can tell from others."""
    for line in lines.splitlines():
        sys.stdout.write(f'{{"prediction": {line.decode()}}}\n')
    sys.stdout.flush()


prediction_log = open_log(settings.log_url)
