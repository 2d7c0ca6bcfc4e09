"""WholeBody: requests are worked on once their bodies are there, and while somebody waits."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from droneseg.errors import DroneSegError
from service.bodies import Bodies
from service.errors import ClientClosedRequest, RequestTooLarge
from service.payloads import error_response
from service.settings import settings

# How much of a refused body is thrown away so that its sender comes to read the answer.
DRAINED_BODIES = 4


class WholeBody:
    """ASGI middleware: reads the body of a POST within limits, then watches for its client."""

    def __init__(self, app: ASGIApp):
        self._app = app
        self._limit = settings.max_body_bytes
        self._bodies = Bodies(settings.max_bodies_bytes, self._limit, settings.body_timeout_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its whole body, or answer why not."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            async with self._bodies.take(receive, _content_length(scope)) as messages:
                await self._answer(scope, messages, receive, send)
        except RequestTooLarge:
            await self._drain(receive)
            error = RequestTooLarge(
                f"the body is larger than {self._limit} bytes; send smaller photos, or fewer at "
                "once"
            )
            await error_response(error)(scope, receive, send)
        except DroneSegError as error:
            await error_response(error)(scope, receive, send)

    async def _answer(
        self, scope: Scope, messages: list[Message], receive: Receive, send: Send
    ) -> None:
        """Pass the request on, and give it up when its client goes away before the answer.

        Raises:
            ClientClosedRequest: the client went away.
        """
        answered = False

        async def replay() -> Message:
            return messages.pop() if messages else await asyncio.shield(gone)

        async def pass_on(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] == "http.response.start"
            await send(message)

        def give_up(_: object) -> None:
            # After an answer has begun there is little left to do.
            if not answered:
                answer.cancel()

        answer = asyncio.ensure_future(self._app(scope, replay, pass_on))
        # The next message after a body says that the client is gone.
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(give_up)
        try:
            await answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not gone.done() or (task and task.cancelling()):
                raise
            raise ClientClosedRequest("the client went away") from None
        finally:
            gone.remove_done_callback(give_up)
            gone.cancel()

    async def _drain(self, receive: Receive) -> None:
        thrown_away = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.body_timeout_s):
                while thrown_away < DRAINED_BODIES * self._limit:
                    message = await receive()
                    thrown_away += len(message.get("body", b""))
                    if not message.get("more_body"):
                        break


def _content_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() else 0
