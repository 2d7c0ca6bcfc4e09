"""Bodies: the request bodies in memory, of which there is room for so many bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import Message, Receive

from service.errors import ClientClosedRequest, QueueFull, RequestTimeout, RequestTooLarge


@dataclass(eq=False)
class Body:
    """A body that comes in.

    Attributes:
        size: bytes of it that take room.
        deadline: ends its coming in.
        gave_way: whether a younger one has its room.
    """

    deadline: asyncio.Timeout
    size: int = 0
    gave_way: bool = False


class Bodies:
    """Takes bodies in before anything else is done with their requests.

    So whoever sends nothing, or sends slowly, holds no place in the queue. When there is no room,
    the oldest body that still comes in gives way: thousands of slow clients keep nobody out.
    """

    def __init__(self, limit: int, limit_each: int, timeout_s: float):
        """Start empty, with room for `limit` bytes of bodies that come in or are worked on."""
        self._limit = limit
        self._limit_each = limit_each
        self._timeout_s = timeout_s
        self._used = 0
        # The oldest first.
        self._arriving: list[Body] = []

    @asynccontextmanager
    async def take(self, receive: Receive, announced: int) -> AsyncIterator[list[Message]]:
        """Have the whole body of a request, and room for it until the request is answered.

        It comes as the one message of a list: whoever takes it out there has it alone.

        Args:
            receive: of ASGI.
            announced: bytes by Content-Length, or 0.

        Raises:
            RequestTooLarge: it goes beyond the limit of one.
            RequestTimeout: it did not come in time.
            QueueFull: there is no room for it.
            ClientClosedRequest: its client went away.
        """
        self._require_below_limit(announced)
        body = Body(asyncio.timeout(self._timeout_s))
        try:
            yield [
                {
                    "type": "http.request",
                    "body": await self._read(receive, body),
                    "more_body": False,
                }
            ]
        finally:
            self._used -= body.size

    async def _read(self, receive: Receive, body: Body) -> bytes:
        chunks = []
        more = True
        self._arriving.append(body)
        try:
            async with body.deadline:
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientClosedRequest("the client went away")
                    chunk = message.get("body", b"")
                    self._make_room(body, len(chunk))
                    chunks.append(chunk)
                    more = message.get("more_body", False)
        except TimeoutError:
            if not body.gave_way:
                raise RequestTimeout(
                    f"the body did not come within {self._timeout_s:g} s"
                ) from None
        finally:
            self._arriving.remove(body)
        if body.gave_way:
            raise _no_room()
        return b"".join(chunks)

    def _require_below_limit(self, size: int) -> None:
        if size > self._limit_each:
            raise RequestTooLarge("the body is too large")

    def _make_room(self, body: Body, size: int) -> None:
        self._require_below_limit(body.size + size)
        while self._used + size > self._limit:
            oldest = next((b for b in self._arriving if b.size or b is body), body)
            if oldest is body:
                raise _no_room()
            self._give_way(oldest)
        body.size += size
        self._used += size

    def _give_way(self, body: Body) -> None:
        self._used -= body.size
        body.size = 0
        body.gave_way = True
        if not body.deadline.expired():
            body.deadline.reschedule(asyncio.get_running_loop().time())


def _no_room() -> QueueFull:
    return QueueFull("there is no room for more photos at the moment; try again later")
