"""ApiKeys: who may predict, where keys are set."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Unauthorized
from service.payloads import error_response
from service.settings import settings

# Health for the platform, metrics for the collector, documents and the page for whoever looks.
OPEN = ("/", "/livez", "/readyz", "/healthz", "/metrics", "/docs", "/docs.json", "/schema.json")
OPEN_BELOW = ("/page/", "/static_content/")


class ApiKeys:
    """ASGI middleware: asks for one of DRONESEG_API_KEYS, if there are any."""

    def __init__(self, app: ASGIApp):
        self._app = app
        self._keys = [key.get_secret_value().encode() for key in settings.api_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if self._is_open(scope) or self._is_known(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        error = Unauthorized("send an API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        response = error_response(error)
        response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        # A browser asks with OPTIONS before it may send a key.
        if not self._keys or scope["type"] != "http" or scope["method"] == "OPTIONS":
            return True
        path: str = scope["path"]
        return path in OPEN or path.startswith(OPEN_BELOW)

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        # The time tells at most how many keys there are.
        return any(hmac.compare_digest(given.strip().encode(), key) for key in self._keys)
