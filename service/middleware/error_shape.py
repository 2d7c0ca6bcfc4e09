"""ErrorShape: one shape for all errors."""

import json
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import CODES, RETRY_AFTER_S
from service.request_id import REQUEST_ID

# Probes are for platforms: what BentoML answers is what they expect.
PROBES = ("/livez", "/readyz", "/healthz")


class ErrorShape:
    """ASGI middleware: errors of BentoML and Starlette in the shape of our own."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold an error back until its body is complete, and send it in our shape."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def shape(message: Message) -> None:
            if not held and not (message["type"] == "http.response.start" and is_error(message)):
                await send(message)
                return
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                for shaped in shape_error(held):
                    await send(shaped)

        await self._app(scope, receive, shape)


def is_error(start: Message) -> bool:
    """Whether a response begins with a status of 400 or more."""
    return bool(start["status"] >= HTTPStatus.BAD_REQUEST)


def shape_error(messages: list[Message]) -> list[Message]:
    """The messages of a response whose body has `code`, `message` and `request_id`."""
    start = messages[0]
    body = b"".join(message.get("body", b"") for message in messages)
    try:
        content = json.loads(body)
    except ValueError:
        content = {"error": body.decode(errors="replace")}
    if isinstance(content, list):
        content = content[0] if content else {}
    if not (isinstance(content, dict) and "code" in content):
        status = start["status"]
        content = {
            "code": CODES.get(status, "internal_error"),
            "message": describe(content),
            "request_id": REQUEST_ID.get(),
        }
        body = json.dumps(content).encode()
        headers = MutableHeaders(scope=start)
        if status in RETRY_AFTER_S:
            headers["retry-after"] = str(RETRY_AFTER_S[status])
        headers["content-type"] = "application/json"
        headers["content-length"] = str(len(body))
    return [start, {"type": "http.response.body", "body": body}]


def describe(content: object) -> str:
    """BentoML's `error`, and of its `detail` which fields are wrong and how."""
    if not isinstance(content, dict):
        return str(content)
    details = content.get("detail")
    fields = [
        f"{'.'.join(map(str, detail.get('loc', ())))}: {detail.get('msg')}".removeprefix(": ")
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict)
    ]
    # The error itself then counts them and names a class of BentoML's.
    return "; ".join(fields or [str(content.get("error", content))])
