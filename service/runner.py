"""Runner: the process that holds the model, and streams the photos of all clients through it."""

import asyncio
import sys
from typing import Any, cast

import bentoml

from service.devices import find_gpus, see_only
from service.logs import configure_logs
from service.photo import Photo
from service.plan import model_path
from service.request_id import logger
from service.settings import settings

configure_logs()

# While answers go out and photos come in, the event loop would keep the network's thread, which
# must have Python's lock after each of its runs, waiting for 5 ms at a time: 2 % of throughput.
SWITCH_S = 0.0005


class Runner:
    """Segments photos of many clients, whose tiles share the network."""

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
        logger.info(
            "model %s on %s", self._lanes.info(), f"GPU {self.gpu}" if self.gpu else "the CPU"
        )

    @bentoml.api
    async def segment(self, photo: dict[str, Any]) -> dict[str, Any]:
        """Segment a Photo; its tiles share the network with those of others.

        Returns:
            `{"labels": uint8 [H, W], ...}`, or `{"error": code}`, which is not our failure.
        """
        return await asyncio.wrap_future(self._lanes.submit(cast("Photo", photo)))

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
