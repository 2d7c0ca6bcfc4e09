"""Queue: how many photos are waiting or worked on."""

from collections.abc import Iterator
from contextlib import contextmanager

from service import metrics
from service.errors import QueueFull


class Queue:
    """Counts photos; BentoML's own limit counts requests, of which some hold many."""

    def __init__(self, limit: int):
        """Start empty."""
        self._limit = limit
        self._length = 0

    @contextmanager
    def hold(self, photos: int) -> Iterator[None]:
        """Have places in the queue.

        Raises:
            QueueFull: there are not as many.
        """
        if self._length + photos > self._limit:
            raise QueueFull(
                f"{self._length} photos wait already and at most {self._limit} may; try again later"
            )
        self._change(photos)
        try:
            yield
        finally:
            self._change(-photos)

    def _change(self, photos: int) -> None:
        self._length += photos
        metrics.QUEUE_PHOTOS.set(self._length)
