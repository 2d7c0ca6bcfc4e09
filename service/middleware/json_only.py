"""JsonOnly: what BentoML's own endpoint does not read well."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import UnsupportedMediaType
from service.payloads import error_response

PATHS = ("/predict_base64", "/predict_uri")


class JsonOnly:
    """ASGI middleware: BentoML would read forms and pickles here, and fail on them with a 500."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 415."""
        if scope["type"] == "http" and scope["path"] in PATHS and scope["method"] == "POST":
            content_type = Headers(scope=scope).get("content-type", "application/json")
            if content_type.partition(";")[0].strip().lower() != "application/json":
                error = UnsupportedMediaType(
                    f"send Content-Type: application/json, not {content_type}"
                )
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
