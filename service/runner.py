"""Runner: the process that holds the model; BentoML merges the calls of many clients for it."""

import asyncio
import sys
from typing import Any, TypedDict

import bentoml
import numpy as np
from numpy.typing import NDArray

from service.batching import never_hold_back
from service.devices import find_gpus, see_only
from service.logs import configure_logs
from service.plan import model_path
from service.request_id import logger
from service.settings import settings

configure_logs()
never_hold_back()

# While answers go out and photos come in, the event loop would keep the network's thread, which
# must have Python's lock after each of its runs, waiting for 5 ms at a time: 2 % of throughput.
SWITCH_S = 0.0005


class Photo(TypedDict):
    """What travels to the runner, on the same machine.

    `sent` and `deadline` are of time.monotonic(); `wanted` is a file that is there while somebody
    waits for the photo: several processes see it at once, without a message to each.
    """

    image: NDArray[np.uint8]
    mode: str
    probabilities: bool
    confidence: bool
    request_id: str
    sent: float
    deadline: float
    wanted: str


class Runner:
    """Segments photos of many clients in batches whose tiles share the network."""

    # What CUDA_VISIBLE_DEVICES is to be; None for the CPU.
    gpu: str | None = None

    def __init__(self) -> None:
        """Load the model, whose engine proves itself on the probe tiles."""
        if self.gpu is not None:
            see_only(self.gpu)
        # Only this process needs the engine's runtime; the front imports this module, too.
        from service.lanes import Lanes

        sys.setswitchinterval(SWITCH_S)
        self._lanes = Lanes(model_path)
        self._large_turn = asyncio.Lock()
        logger.info(
            "model %s on %s", self._lanes.info(), f"GPU {self.gpu}" if self.gpu else "the CPU"
        )

    @bentoml.api(
        batchable=settings.max_batch_size > 1,
        max_batch_size=max(settings.max_batch_size, 2),
        # Not a waiting time: a request whose predicted time in the queue is longer is refused.
        max_latency_ms=int(settings.timeout_s * 1000),
    )
    def segment_small(self, photos: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Segment small photos, in order.

        Returns:
            For each photo `{"labels": uint8 [H, W], ...}`, or `{"error": code}` that concerns it
            alone: an exception would fail the photos of other clients in the same batch.
        """
        return self._lanes.small.segment(photos)

    @bentoml.api
    async def segment_large(self, photos: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Segment large photos one request after the other, as `segment_small` does.

        In a thread that is not BentoML's, of which there is one, for `segment_small`.
        """
        async with self._large_turn:
            return await asyncio.to_thread(self._lanes.large.segment, photos)

    @bentoml.api
    def info(self) -> dict[str, Any]:
        """Engine, precision and versions."""
        return self._lanes.info()


def serve_runner(gpu: str | None, name: str) -> Any:
    """A BentoML service of a Runner that sees one GPU, or none."""
    return bentoml.service(
        type(name, (Runner,), {"gpu": gpu, "__doc__": Runner.__doc__}),
        name=name,
        workers=1,
        # The front gives up first, with an answer of its own.
        traffic={"timeout": settings.timeout_s + 60},
        # The front writes a line for each request, with its id.
        logging={"access": {"enabled": False}},
        # By default BentoML closes the connection to a runner after 100 requests or 300 s, and
        # with it whatever is in flight.
        runner_connection={"max_requests": 2_000_000_000, "max_age": 3.0e9},
    )


# Workers of one service would share a socket, and the kernel, not the front, choose among them.
RUNNERS = [
    serve_runner(gpu, "DroneSegRunner" if index == 0 else f"DroneSegRunner{index + 1}")
    for index, gpu in enumerate(find_gpus() or [None])
]
