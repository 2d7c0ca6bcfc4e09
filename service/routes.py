"""Routes that BentoML's own endpoints cannot give: multipart without fetching URLs."""

import bentoml
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from droneseg.errors import DroneSegError, InvalidRequest
from service.payloads import error_response


async def predict(request: Request) -> Response:
    """POST /predict: a photo as the multipart field `data`."""
    async with request.form(max_files=1) as form:
        upload = form.get("data")
        if not isinstance(upload, UploadFile):
            raise InvalidRequest("send the photo as a file in the multipart field 'data'")
        data = await upload.read()
    prediction = await bentoml.get_current_service().segment(data)
    return JSONResponse(prediction.model_dump())


async def _droneseg_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, DroneSegError)  # noqa: S101 - for the type checker
    return error_response(error)


async def _http_error(_: Request, error: Exception) -> Response:
    """Starlette's own errors (no such route, broken multipart) in the shape of all others."""
    assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
    codes = {404: "not_found", 405: "method_not_allowed"}
    content = {"code": codes.get(error.status_code, "invalid_request"), "message": error.detail}
    return JSONResponse(content, status_code=error.status_code, headers=error.headers)


routes = Starlette(
    routes=[Route("/predict", predict, methods=["POST"])],
    exception_handlers={DroneSegError: _droneseg_error, HTTPException: _http_error},
)


class TrailingSlash:
    """ASGI middleware: /predict/ is /predict, without the redirect that loses a POST's body."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its path shortened."""
        if scope["type"] == "http" and len(scope["path"]) > 1 and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self._app(scope, receive, send)
