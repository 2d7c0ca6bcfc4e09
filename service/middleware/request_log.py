"""RequestLog: every request has an id, which its answer, its errors and its log lines name."""

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.request_id import REQUEST_ID, choose_request_id, logger

HEADER = "X-Request-ID"
# Platforms ask for these all the time.
QUIET = ("/livez", "/readyz", "/healthz", "/metrics")


class RequestLog:
    """ASGI middleware: takes or makes the id, sends it back as a header, logs the request."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its id in the context."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = choose_request_id(Headers(scope=scope).get(HEADER))
        REQUEST_ID.set(request_id)
        start = time.perf_counter()

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
                if scope["path"] not in QUIET:
                    facts = {
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": message["status"],
                        "duration_ms": round((time.perf_counter() - start) * 1000, 1),
                    }
                    logger.info(
                        "%(method)s %(path)s %(status)d %(duration_ms).0f ms", facts, extra=facts
                    )
            await send(message)

        await self._app(scope, receive, tell)
