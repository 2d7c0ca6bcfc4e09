"""Runner: the process that holds the model; BentoML merges the calls of many clients for it."""

import logging
from typing import Any

import bentoml
import numpy as np
from numpy.typing import NDArray

from service.settings import settings

# BentoML shows the messages of its own loggers only.
logger = logging.getLogger("bentoml.droneseg")


@bentoml.service(
    name="DroneSegRunner",
    workers=1,
    # The front gives up first, with an answer of its own.
    traffic={"timeout": settings.timeout_s + 10},
    # By default BentoML closes the connection to a runner after 100 requests or 300 s, and with it
    # whatever is in flight.
    runner_connection={"max_requests": 2_000_000_000, "max_age": 3.0e9},
)
class Runner:
    """Segments photos of many clients in batches whose tiles share the network."""

    def __init__(self) -> None:
        """Load the model, whose engine proves itself on the probe tiles."""
        # Only this process needs the engine's runtime; the front imports this module, too.
        from droneseg.predictor import Predictor

        self._predictor = Predictor(settings.model_path)
        plan = self._predictor.plan
        logger.info(
            "model %s %s on %s", plan.name, plan.content_hash[:12], self._predictor.engines[0].name
        )

    @bentoml.api(
        batchable=True,
        max_batch_size=settings.max_batch_size,
        # Not a waiting time: a request whose predicted time in the queue is longer is refused.
        max_latency_ms=int(settings.timeout_s * 1000),
    )
    def segment(self, images: list[np.ndarray]) -> list[dict[str, Any]]:
        """Segment photos, uint8 [H, W, 3], in order.

        Returns:
            For each photo `{"labels": uint8 [H, W]}`, or `{"error": message}` that concerns it
            alone: an exception would fail the photos of other clients in the same batch.
        """
        try:
            return [{"labels": result.labels} for result in self._predictor.segment(images)]
        except Exception:
            logger.exception("a batch of %d photos failed; taking them one by one", len(images))
            return [self._segment_one(image) for image in images]

    def _segment_one(self, image: NDArray[np.uint8]) -> dict[str, Any]:
        try:
            (result,) = self._predictor.segment([image])
        except Exception:
            logger.exception("a photo of shape %s failed", image.shape)
            return {"error": "the model failed on this photo; the log of the service has more"}
        return {"labels": result.labels}
