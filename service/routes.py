"""Routes that BentoML's own endpoints cannot give: multipart without fetching URLs."""

import bentoml
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from droneseg.errors import DroneSegError
from service.errors import InvalidRequest
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


routes = Starlette(
    routes=[Route("/predict", predict, methods=["POST"])],
    exception_handlers={DroneSegError: _droneseg_error},
)
