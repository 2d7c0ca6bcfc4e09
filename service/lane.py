"""Lane: photos that wait for the model, and the thread that streams them through it."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from droneseg.mode import Mode
from droneseg.normalization import ImageArray
from droneseg.predictor import Predictor
from droneseg.segmentation import Segmentation
from service.errors import DeadlineExceeded, PredictionFailed
from service.photo import Photo, Wanted
from service.request_id import logger

Outcome = dict[str, Any]


class Job:
    """A photo on its way through a lane.

    Attributes:
        photo: as the front sent it.
        outcome: what `Runner.segment` says of it.
    """

    def __init__(self, photo: Photo):
        """Start without an outcome."""
        self.photo = photo
        self.wanted = Wanted.of(photo)
        self.outcome: Future[Outcome] = Future()

    def begin(self) -> bool:
        """Whether it is to be segmented, as somebody waits for it still."""
        request_id = self.photo["request_id"]
        if not self.outcome.set_running_or_notify_cancel():
            return False
        if not Path(self.photo["wanted"]).exists():
            logger.info("photo %s is not computed: nobody waits for it", request_id)
        elif self.photo["deadline"] <= time.monotonic():
            logger.warning("photo %s is not computed: its deadline has passed", request_id)
        else:
            return True
        self.fail(DeadlineExceeded.code)
        return False

    def succeed(self, result: Segmentation) -> None:
        """Give the labels to whoever waits."""
        times = result.times
        predict_ms = times.seconds * 1000
        self.outcome.set_result(
            {
                "labels": result.labels,
                "probabilities": result.probabilities,
                "confidence": result.confidence,
                "stages": {
                    "preprocess": times.preprocess_s,
                    "network": times.network_s,
                    "stitch": times.stitch_s,
                },
                "predict_ms": predict_ms,
                # All else: until its turn came, and while others had theirs.
                "queue_ms": (time.monotonic() - self.photo["sent"]) * 1000 - predict_ms,
            }
        )

    def fail(self, code: str) -> None:
        """Give an error to whoever waits."""
        self.outcome.set_result({"error": code})


class Lane:
    """Photos go through one after the other; their tiles share the network's batches.

    A batch waits for nothing: it is made of the tiles of photos that are there and want the same.
    Each photo is answered as soon as its own tiles are done; while some wait, those that come join.
    """

    def __init__(self, name: str, predictors: Mapping[Mode, Predictor]):
        """Start the thread, which alone uses the predictors."""
        self._predictors = predictors
        self._jobs: deque[Job] = deque()
        self._came = threading.Condition()
        threading.Thread(target=self._work, name=f"{name} photos", daemon=True).start()

    def submit(self, photo: Photo) -> Future[Outcome]:
        """Let a photo wait for its turn."""
        job = Job(photo)
        with self._came:
            self._jobs.append(job)
            self._came.notify()
        return job.outcome

    def _work(self) -> None:
        try:
            while True:
                self._stream_next()
        except BaseException:
            logger.exception("no photo could be begun: the runner ends, and is started again")
            os._exit(1)

    def _stream_next(self) -> None:
        with self._came:
            self._came.wait_for(self._jobs.__len__)
            wanted = self._jobs[0].wanted
        self._stream(wanted, self._alike(wanted))

    def _alike(self, wanted: Wanted) -> Iterator[Job]:
        """Take jobs as long as the next one wants the same; who wants else, waits no longer."""
        while self._jobs and self._jobs[0].wanted == wanted:
            job = self._jobs.popleft()
            if job.begin():
                yield job

    def _stream(self, wanted: Wanted, jobs: Iterable[Job]) -> None:
        """Segment photos that want the same; one by one those that fail together."""
        begun: deque[Job] = deque()

        def images() -> Iterator[ImageArray]:
            for job in jobs:
                begun.append(job)
                yield job.photo["image"]

        try:
            for result in self._predictors[wanted.mode].stream(
                images(), probabilities=wanted.probabilities, confidence=wanted.confidence
            ):
                begun.popleft().succeed(result)
        except Exception:
            logger.exception("failed: %s", ", ".join(job.photo["request_id"] for job in begun))
            if not begun:
                raise
        # Not within the `except`, where the memory of what failed is still held.
        if len(begun) == 1:
            begun[0].fail(PredictionFailed.code)
            return
        for job in begun:
            self._stream(wanted, [job])
