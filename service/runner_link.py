"""RunnerLink: the front's way to the runner, and its watch over it."""

import asyncio
import os
import time
from tempfile import NamedTemporaryFile
from typing import Any, get_args

import aiohttp
import numpy as np
import psutil
from bentoml.exceptions import BentoMLException
from numpy.typing import NDArray

from droneseg.errors import DroneSegError
from droneseg.mode import Mode
from droneseg.scene import draw_scene
from service import metrics
from service.errors import DeadlineExceeded, ModelNotReady, PredictionFailed
from service.options import Options
from service.photo import Photo
from service.plan import CHANNELS, plan
from service.request_id import REQUEST_ID, logger
from service.settings import settings

# A runner loads its model and checks its hashes and probe tiles first.
POLL_S = 0.2
WATCH_S = 1.0
# To /livez, before the server ends: the platform should know why.
LAST_WORDS_S = 2.0


class RunnerLink:
    """Asks the runner, gets it warm, and ends the server when it stays silent.

    Attributes:
        ready: whether the warm-up predictions succeeded.
        alive: whether the runner was heard of lately, or has yet to be.
        info: engine, precision and versions, once the runner is ready.
    """

    def __init__(self, runner: Any):
        """Take the proxy that BentoML made of the Runner."""
        self._runner = runner
        self.ready = False
        self.alive = True
        self.info: dict[str, Any] | None = None

    async def segment(
        self, image: NDArray[np.uint8], options: Options, deadline: float
    ) -> dict[str, Any]:
        """What the runner says of a photo, whose tiles share the network with those of others.

        If this is cancelled, the runner does not begin with the photo.

        Args:
            image: uint8 [H, W, C].
            options: what is wanted of it.
            deadline: of time.monotonic().

        Raises:
            DeadlineExceeded: it took too long.
            ModelNotReady: the runner has stopped.
            PredictionFailed: the engine failed.
        """
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                with NamedTemporaryFile(prefix="droneseg-wanted-") as wanted:
                    photo = photo_for(image, options, deadline, wanted.name)
                    outcome: dict[str, Any] = await self._runner.to_async.segment(photo)
        except TimeoutError:
            raise too_late() from None
        except (BentoMLException, aiohttp.ClientError) as error:
            logger.warning("the runner did not answer: %r", error)
            # The next look at it may be a second away, and until then /readyz would be wrong.
            self.ready = self.ready and await self._answers()
            raise ModelNotReady("the model is restarting; try again later") from error
        match outcome.get("error"):
            case None:
                return outcome
            case DeadlineExceeded.code:
                raise too_late()
            case _:
                raise PredictionFailed("the model failed on this photo; the log has more")

    async def keep(self) -> None:
        """Get the runner warm, again after each silence; end the server after a long one.

        BentoML starts a dead runner again, but not in a container: there only the platform can.
        Before the runner is ready for the first time, it takes what time it needs.
        """
        heard = float("inf")
        while time.monotonic() - heard < settings.runner_grace_s:
            if not await self._answers():
                self.ready = False
            elif self.ready or await self._warm_up():
                heard = time.monotonic()
            await asyncio.sleep(WATCH_S if self.ready else POLL_S)
        self.alive = False
        logger.error("no word from the runner for %g s: the server ends", settings.runner_grace_s)
        await asyncio.sleep(LAST_WORDS_S)
        end_server()

    async def _answers(self) -> bool:
        try:
            return bool(await self._runner.is_ready(max(1, int(settings.runner_grace_s / 2))))
        except (BentoMLException, aiohttp.ClientError, OSError) as error:
            logger.warning("the runner is silent: %r", error)
            return False

    async def _warm_up(self) -> bool:
        """Run a photo of the size of one window through the runner in each mode."""
        scene = draw_scene(*plan.members[0].patch_size, seed=0, channels=CHANNELS)
        try:
            for mode in get_args(Mode):
                deadline = time.monotonic() + settings.timeout_s
                await self.segment(scene, Options(mode=mode), deadline)
            self.info = await self._runner.to_async.info()
            metrics.show_model(self.info["modes"])
        except (DroneSegError, BentoMLException, aiohttp.ClientError, TimeoutError) as error:
            logger.warning("the warm-up failed and is tried again: %r", error)
        else:
            self.ready = True
            logger.info("ready: model %s", plan.name)
        return self.ready


def end_server() -> None:
    """Ask BentoML's process, which is the parent, to end; what hangs could not be asked."""
    parent = psutil.Process().parent()
    if parent is not None:
        parent.terminate()
        for sibling in parent.children():
            if sibling.pid != os.getpid():
                sibling.kill()


def photo_for(image: NDArray[np.uint8], options: Options, deadline: float, wanted: str) -> Photo:
    """What the runner gets of a request."""
    return Photo(
        image=image,
        mode=options.mode,
        probabilities=options.probabilities,
        confidence=options.confidence,
        request_id=REQUEST_ID.get(),
        sent=time.monotonic(),
        deadline=deadline,
        wanted=wanted,
    )


def too_late() -> DeadlineExceeded:
    """The error of a photo whose time is over."""
    return DeadlineExceeded(
        f"no answer within {settings.timeout_s:g} s; send smaller photos, or fewer at once"
    )
