"""DroneSeg: the front, which decodes and validates, asks the runner, and encodes."""

import asyncio
import logging

import aiohttp
import bentoml
import numpy as np
from bentoml.exceptions import BentoMLException
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.errors import DroneSegError
from droneseg.images import decode_image, require_file_channels
from droneseg.plan import InferencePlan
from droneseg.scene import draw_scene
from droneseg.segmentation import Segmentation
from service.errors import DeadlineExceeded, InvalidRequest, ModelNotReady, PredictionFailed
from service.middleware import ErrorShape, TrailingSlash
from service.payloads import Base64Image, Prediction, decode_base64, errors_as_json
from service.routes import routes
from service.runner import Runner
from service.settings import settings

# BentoML shows the messages of its own loggers only.
logger = logging.getLogger("bentoml.droneseg")

# BentoML's batch optimiser stalls while it trains itself on its first requests, the 10th and 11th.
WARM_UP_CALLS = 12
# A runner loads its model and checks its hashes and probe tiles first.
RUNNER_POLL_S = 0.2
# BentoML gives up later than we do: its answer has no code.
GRACE_S = 5


def load_plan() -> InferencePlan:
    """The plan of the model to serve, whose network the runner holds.

    Raises:
        BentoMLException: there is no such model; BentoML's command line ends with this message.
    """
    try:
        plan = Bundle.load(settings.model_path).plan
        require_file_channels(len(plan.channel_names))
    except DroneSegError as error:
        raise BentoMLException(f"[{error.code}] {error.message}") from error
    return plan


# On import, and not in a process that BentoML would start again and again: without its model the
# server ends at once, and no Bento is built.
plan = load_plan()
CHANNELS = len(plan.channel_names)


@bentoml.asgi_app(routes, path="/")
@bentoml.service(name="DroneSeg", workers=1, traffic={"timeout": settings.timeout_s + GRACE_S})
class DroneSeg:
    """Segments aerial photos exactly as the trained nnU-Net does."""

    runner = bentoml.depends(Runner)

    def __init__(self) -> None:
        """Start unready."""
        self._ready = False

    @bentoml.on_startup
    async def _start(self) -> None:
        # The server must answer /livez meanwhile, so the warm-up is not waited for.
        self._warming_up = asyncio.create_task(self._warm_up())

    async def __is_ready__(self) -> bool:
        """For /readyz: whether the warm-up predictions succeeded."""
        return self._ready

    @bentoml.api
    @errors_as_json
    async def predict_base64(
        self,
        image_b64: str | None = None,
        content_type: str | None = None,  # noqa: ARG002 - the bytes themselves decide
        req: Base64Image | None = None,
    ) -> Prediction:
        """Segment a photo that comes as base64, flat or in an object `req`."""
        text = req.image_b64 if req else image_b64
        if text is None:
            raise InvalidRequest('send {"image_b64": "..."} or {"req": {"image_b64": "..."}}')
        return await self.segment(await asyncio.to_thread(decode_base64, text))

    async def segment(self, data: bytes) -> Prediction:
        """Decode a photo, let the runner segment it, and encode the answer."""
        if not self._ready:
            raise ModelNotReady("the model is warming up; /readyz says when it is ready")
        image = await asyncio.to_thread(decode_image, data, settings.max_pixels, CHANNELS)
        segmentation = Segmentation(await self._ask_runner(image), plan.labels)
        return await asyncio.to_thread(Prediction.of, segmentation)

    async def _warm_up(self) -> None:
        """Get ready: run photos of the size of one window through the runner until all succeed."""
        scene = draw_scene(*plan.members[0].patch_size, seed=0, channels=CHANNELS)
        while not self._ready:
            try:
                if await self.runner.is_ready(1):
                    for _ in range(WARM_UP_CALLS):
                        await self._ask_runner(scene)
                    self._ready = True
                    logger.info("ready: model %s", plan.name)
            except (DroneSegError, aiohttp.ClientError, TimeoutError) as error:
                logger.warning("the warm-up failed and is tried again: %r", error)
            await asyncio.sleep(RUNNER_POLL_S)

    async def _ask_runner(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The label map of a photo, from a batch with those of other clients.

        Raises:
            DeadlineExceeded: it took too long.
            ModelNotReady: the runner has stopped, or its queue is full.
            PredictionFailed: the engine failed.
        """
        try:
            async with asyncio.timeout(settings.timeout_s):
                (outcome,) = await self.runner.to_async.segment([image])
        except TimeoutError:
            raise DeadlineExceeded(
                f"no answer within {settings.timeout_s:g} s; send smaller photos, or fewer at once"
            ) from None
        except (BentoMLException, aiohttp.ClientError) as error:
            logger.warning("the runner did not answer: %r", error)
            raise ModelNotReady("the model is overloaded or restarting; try again later") from error
        if "error" in outcome:
            raise PredictionFailed(outcome["error"])
        labels: NDArray[np.uint8] = outcome["labels"]
        return labels


# The decorator returns a bentoml Service.
DroneSeg.add_asgi_middleware(TrailingSlash)  # type: ignore[attr-defined]
DroneSeg.add_asgi_middleware(ErrorShape)  # type: ignore[attr-defined]
