"""RequestMetrics: requests and their photos are counted once their answers have gone out."""

import json
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.middleware.request_log import QUIET
from service.prediction_log import prediction_log
from service.sighting import SIGHTINGS, Sighting

PREDICTION = {
    *("/predict", "/predict_image_bytes", "/predict_base64", "/predict_uri"),
    "/batch_predict",
}
# BentoML's own metrics take any path for a label, of which a stranger has as many as they like.
ENDPOINTS = {
    *(*PREDICTION, "/polygons", "/model_info", "/drift"),
    *("/", "/docs", "/docs.json", "/schema.json"),
}
PAGE = "/page"
OTHER = "other"
# As nginx calls a client who did not wait; nothing was answered.
CLIENT_CLOSED_REQUEST = 499


class RequestMetrics:
    """ASGI middleware: counts, and says in Server-Timing what the answer took."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and take it into account in the end."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        sightings: list[Sighting] = []
        SIGHTINGS.set(sightings)
        status, code = CLIENT_CLOSED_REQUEST, "client_closed_request"

        async def look(message: Message) -> None:
            nonlocal status, code
            if message["type"] == "http.response.start":
                status, code = message["status"], ""
                timing = _server_timing(sightings, time.perf_counter() - start)
                MutableHeaders(scope=message)["Server-Timing"] = timing
            elif status >= 400 and not code:
                code = _code(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, look)
        finally:
            endpoint = _endpoint(scope["path"])
            metrics.observe_request(endpoint, status, code, time.perf_counter() - start)
            if code and endpoint in PREDICTION:
                metrics.REJECTIONS.labels(code).inc()
            for photo in sightings:
                metrics.observe_photo(photo)
                if prediction_log is not None:
                    prediction_log.add(photo.record())


def _endpoint(path: str) -> str:
    if path in ENDPOINTS:
        return path
    return PAGE if path.startswith(f"{PAGE}/") else OTHER


def _code(body: bytes) -> str:
    """Of an error, to which ErrorShape has given its shape."""
    content = json.loads(body)
    return str(content["code"])


def _server_timing(sightings: list[Sighting], total_s: float) -> str:
    """Milliseconds; photos of a batch go side by side, so of each stage the longest."""
    longest: dict[str, float] = {}
    for photo in sightings:
        for stage, seconds in photo.stages.items():
            longest[stage] = max(seconds, longest.get(stage, 0.0))
    longest["total"] = total_s
    return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in longest.items())
