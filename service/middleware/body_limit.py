"""BodyLimit: bodies that are too large are refused before they are in memory."""

from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import RequestTooLarge
from service.payloads import error_response
from service.settings import settings

# How much of a refused body is thrown away so that its sender comes to read the answer.
DRAINED_BODIES = 4


class BodyLimit:
    """ASGI middleware: counts what comes in, whatever Content-Length says."""

    def __init__(self, app: ASGIApp):
        self._app = app
        self._limit = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on until its body goes beyond the limit; then answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _content_length(scope) > self._limit:
            await self._refuse(scope, receive, send)
            return
        received = 0
        started = False

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                # Whoever reads the body gives up; what it answers is not sent.
                raise RequestTooLarge("the body is too large")
            return message

        async def pass_on(message: Message) -> None:
            nonlocal started
            if received <= self._limit or started:
                started = True
                await send(message)

        with suppress(RequestTooLarge):
            await self._app(scope, count, pass_on)
        if received > self._limit and not started:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        thrown_away = 0
        while thrown_away < DRAINED_BODIES * self._limit:
            message = await receive()
            thrown_away += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        error = RequestTooLarge(
            f"the body is larger than {self._limit} bytes; send smaller photos, or fewer at once"
        )
        await error_response(error)(scope, receive, send)


def _content_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() else 0
