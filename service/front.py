"""DroneSeg: the front, which decodes and validates, asks the runner, and encodes."""

import asyncio
import time
from typing import Any, cast

import bentoml
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request

from droneseg.errors import DroneSegError
from droneseg.images import decode_image, pixel_count
from droneseg.segmentation import Segmentation
from service import drift_reports
from service.clock import Clock
from service.errors import InvalidRequest, ModelNotReady
from service.image import IMAGE
from service.logs import configure_logs
from service.middleware import MIDDLEWARE
from service.options import Options, PolygonOptions
from service.payloads import (
    Base64Image,
    Base64Request,
    Prediction,
    ServedModel,
    decode_base64,
    error_response,
)
from service.pixel_budget import PixelBudget
from service.plan import CHANNELS, plan
from service.prediction_log import prediction_log
from service.queue import Queue
from service.rendering import Renderer, kept_ids
from service.request_id import REQUEST_ID
from service.routes import prediction_response, routes
from service.runner import RUNNERS
from service.runner_link import too_late
from service.runner_links import RunnerLinks
from service.settings import settings
from service.sighting import Sighting, describe, fractions_of, see

configure_logs()

# BentoML gives up later than we do, as its answer has no code.
GRACE_S = settings.body_timeout_s + 30


# As attributes of a class, which is how BentoML finds them.
NAMES = [f"runner_{index}" for index in range(len(RUNNERS))]
Runners = type("Runners", (), dict(zip(NAMES, map(bentoml.depends, RUNNERS), strict=True)))


@bentoml.asgi_app(routes, path="/")
@bentoml.service(
    name="DroneSeg",
    image=IMAGE,
    workers=1,
    traffic={"timeout": settings.timeout_s + GRACE_S},
    # RequestLog writes its own line, with the request's id.
    logging={"access": {"enabled": False}},
    # RequestMetrics counts requests; BentoML's label any path that a stranger asks for.
    metrics={"enabled": False},
)
class DroneSeg(Runners):  # type: ignore[misc, valid-type]
    """Segments aerial photos exactly as the trained nnU-Net does."""

    def __init__(self) -> None:
        """Start unready."""
        self.link = RunnerLinks([getattr(self, name) for name in NAMES])
        self.queue = Queue(settings.max_queue)
        self.renderer = Renderer()
        # One that is segmented, and the next.
        self._large = PixelBudget(2 * settings.max_pixels)

    @bentoml.on_startup
    async def _start(self) -> None:
        # The server must answer /livez meanwhile, so the warm-up is not waited for.
        self._tasks = [
            asyncio.create_task(self.link.keep()),
            asyncio.create_task(drift_reports.keep_watch()),
        ]

    @bentoml.on_shutdown
    async def _stop(self) -> None:
        # By now all requests have been answered.
        if prediction_log is not None:
            await asyncio.to_thread(prediction_log.close)

    async def __is_ready__(self) -> bool:
        """For /readyz: whether the warm-up predictions succeeded."""
        return self.link.ready

    async def __is_alive__(self) -> bool:
        """For /livez: whether the runner answers."""
        return self.link.alive

    @bentoml.api(input_spec=Base64Request)
    async def predict_base64(self, ctx: bentoml.Context, **fields: Any) -> Prediction:
        """Segment a photo that comes as base64, flat or in an object `req`."""
        request = Base64Request.model_construct(**fields)
        try:
            prediction = await self._predict_base64(request, ctx.request)
        except DroneSegError as error:
            # BentoML would turn it into a 500; it sends a Response as it is, but for the status.
            ctx.response.status_code = error.status
            return cast("Prediction", error_response(error))
        return cast("Prediction", await prediction_response(prediction))

    async def _predict_base64(self, request: Base64Request, http: Request) -> Prediction:
        flat = request.req or request
        if flat.image_b64 is None:
            raise InvalidRequest('send {"image_b64": "..."} or {"req": {"image_b64": "..."}}')
        options = _options_of(flat).updated(http.query_params)
        data = await asyncio.to_thread(decode_base64, flat.image_b64)
        with self.queue.hold(1):
            return await self.segment(data, options, flat.filename)

    def require_ready(self) -> None:
        """Raise ModelNotReady before the warm-up predictions succeeded."""
        if not self.link.ready or self.link.info is None:
            raise ModelNotReady("the model is warming up; /readyz says when it is ready")

    async def segment(self, data: bytes, options: Options, filename: str | None) -> Prediction:
        """Decode a photo, let the runner segment it, and encode the answer.

        Raises:
            DroneSegError: the photo or an option cannot be used, or the model cannot.
        """
        deadline = time.monotonic() + settings.timeout_s
        self.require_ready()
        # Before the photo costs anything.
        kept_ids(options, plan.labels)
        try:
            async with asyncio.timeout(settings.timeout_s):
                pixels = await asyncio.to_thread(pixel_count, data)
                async with self._large.hold(pixels):
                    return await self._segment(data, options, filename, deadline)
        except TimeoutError:
            raise too_late() from None

    async def _segment(
        self, data: bytes, options: Options, filename: str | None, deadline: float
    ) -> Prediction:
        start = time.perf_counter()
        ids = kept_ids(options, plan.labels)
        image, descriptors = await asyncio.to_thread(_decode, data)
        decoded = time.perf_counter()
        outcome = await self.link.segment(image, options, deadline)
        segmented = time.perf_counter()
        segmentation = Segmentation(
            outcome["labels"], plan.labels, outcome["probabilities"], outcome["confidence"]
        )
        kept = segmentation if ids is None else segmentation.keep(ids)
        fields = await self.renderer.render(kept, image, options)
        if kept is not segmentation:
            # Else its pixels are counted by now.
            await asyncio.to_thread(getattr, segmentation, "pixel_counts")
        clock = Clock(start, decoded, segmented, time.perf_counter())
        sighting = Sighting(
            model=self.served_model(options.mode),
            mode=options.mode,
            height=image.shape[0],
            width=image.shape[1],
            filename=filename,
            stages=clock.stages(outcome),
            fractions=fractions_of(segmentation),
            confidence=outcome["confidence"],
            descriptors=descriptors,
            seconds=clock.seconds,
            request_id=REQUEST_ID.get(),
        )
        see(sighting)
        return Prediction(
            request_id=sighting.request_id,
            filename=filename,
            model_loaded=True,
            timings_ms=clock.timings(outcome),
            model=sighting.model,
            **fields,
        )

    async def polygons(self, data: bytes, options: PolygonOptions) -> str:
        """The GeoJSON of a PNG of class ids, without the model.

        Raises:
            DroneSegError: it is none, an option cannot be used, or there are too many polygons.
        """
        try:
            async with asyncio.timeout(settings.timeout_s):
                return await self.renderer.polygons_of_png(data, plan.labels, options)
        except TimeoutError:
            raise too_late() from None

    def served_model(self, mode: str) -> ServedModel:
        """What segments in a mode; the engine is known once the runner is ready."""
        modes = self.link.info["modes"] if self.link.info else {}
        used = modes.get(mode, {"engine": "", "precision": ""})
        return ServedModel(name=plan.name, hash=plan.content_hash, **used)


def _decode(data: bytes) -> tuple[NDArray[np.uint8], dict[str, float]]:
    """A photo and its descriptors, in one thread, as a way to another takes as long as they do."""
    image = decode_image(data, settings.max_pixels, CHANNELS)
    return image, describe(image)


def _options_of(request: Base64Image | Base64Request) -> Options:
    return Options.model_construct(
        **{name: getattr(request, name) for name in Options.model_fields}
    )


# The decorator returns a bentoml Service.
for middleware in MIDDLEWARE:
    DroneSeg.add_asgi_middleware(middleware)
