"""Routes that BentoML's own endpoints cannot give: forms without fetching URLs, images, GET."""

import asyncio
import base64
import re
from typing import TYPE_CHECKING

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from droneseg.errors import DroneSegError
from service import docs_page, drift_reports, front_page, metrics, metrics_page
from service.errors import InvalidRequest
from service.model_info import model_info
from service.openapi import document
from service.options import Options, PolygonOptions
from service.payloads import (
    BatchError,
    Health,
    Prediction,
    error_content,
    error_response,
)
from service.plan import plan
from service.references import predict_reference
from service.rendering import kept_ids
from service.uploads import Upload, read_upload, read_uploads

if TYPE_CHECKING:
    from service.front import DroneSeg


# A type that is not wanted at all.
NEVER = re.compile(r"q=0(\.0*)?")


def front() -> "DroneSeg":
    """The service that BentoML made."""
    service: DroneSeg = bentoml.get_current_service()
    return service


async def predict(request: Request) -> Response:
    """POST /predict: a photo as the multipart field `data`, or as the body."""
    return await _predict(request, "data")


async def predict_image_bytes(request: Request) -> Response:
    """POST /predict_image_bytes: a photo as the body, or as the multipart field `image`."""
    return await _predict(request, "image")


async def _predict(request: Request, field: str) -> Response:
    as_png = _wants(request, "image/png", "image/*")
    upload, options = await read_upload(request, field, Options())
    if as_png and options.render == "none":
        raise InvalidRequest("render=none leaves no image to answer with; accept JSON")
    with front().queue.hold(1):
        prediction = await front().segment(upload.data, options, upload.filename)
    if as_png and prediction.segmentation_mask is not None:
        return Response(base64.b64decode(prediction.segmentation_mask), media_type="image/png")
    return await prediction_response(prediction)


async def predict_uri(request: Request) -> Response:
    """POST /predict_uri: a photo in a bucket, whose mask may go there, too."""
    return await prediction_response(await predict_reference(request, front()))


async def batch_predict(request: Request) -> Response:
    """POST /batch_predict: photos as multipart fields `data`, answered in order."""
    uploads, options = await read_uploads(request, "data")
    # An error of the whole request, not of every photo.
    kept_ids(options, plan.labels)
    front().require_ready()
    with front().queue.hold(len(uploads)):
        answers = await asyncio.gather(*(_entry(upload, options) for upload in uploads))
    texts = [await asyncio.to_thread(answer.as_json) for answer in answers]
    return Response(f"[{','.join(texts)}]", media_type="application/json")


async def _entry(upload: Upload, options: Options) -> Prediction | BatchError:
    try:
        return await front().segment(upload.data, options, upload.filename)
    except DroneSegError as error:
        metrics.REJECTIONS.labels(error.code).inc()
        return BatchError(**error_content(error), filename=upload.filename)


async def polygons(request: Request) -> Response:
    """POST /polygons: the polygons of a mask that is there already."""
    upload, options = await read_upload(request, "data", PolygonOptions())
    with front().queue.hold(1):
        text = await front().polygons(upload.data, options)
    return Response(text, media_type="application/geo+json")


async def index(request: Request) -> Response:
    """GET /: the page for browsers, health for programs."""
    if _wants(request, "text/html"):
        return front_page.page()
    health = Health(status="ok", model_status="ready" if front().link.ready else "warming_up")
    return JSONResponse(health.model_dump(), headers={"Vary": "Accept"})


async def docs(_: Request) -> Response:
    """GET /docs: interactive API docs."""
    return HTMLResponse(docs_page.HTML, headers=docs_page.HEADERS)


async def docs_json(_: Request) -> Response:
    """GET /docs.json: BentoML's own knows the routes of its endpoints alone."""
    return JSONResponse(document())


async def info(_: Request) -> Response:
    """GET and POST /model_info."""
    return JSONResponse(model_info(front().link.info).model_dump(mode="json"))


async def prediction_response(prediction: Prediction) -> Response:
    """A prediction as JSON, which can have many megabytes."""
    text = await asyncio.to_thread(prediction.as_json)
    return Response(text, media_type="application/json")


def _wants(request: Request, *media_types: str) -> bool:
    """Whether a client accepts one of these types by name, and not JSON."""
    parts = [part.split(";") for part in request.headers.get("accept", "").lower().split(",")]
    accepted = {
        name.strip() for name, *rest in parts if not any(NEVER.fullmatch(p.strip()) for p in rest)
    }
    return not accepted.isdisjoint(media_types) and "application/json" not in accepted


async def _droneseg_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, DroneSegError)  # noqa: S101 - for the type checker
    return error_response(error)


routes = Starlette(
    routes=[
        Route("/", index),
        Route("/predict", predict, methods=["POST"]),
        Route("/predict_image_bytes", predict_image_bytes, methods=["POST"]),
        Route("/predict_uri", predict_uri, methods=["POST"]),
        Route("/batch_predict", batch_predict, methods=["POST"]),
        Route("/polygons", polygons, methods=["POST"]),
        Route("/model_info", info, methods=["GET", "POST"]),
        Route("/drift", drift_reports.drift),
        Route("/metrics", metrics_page.metrics),
        Route("/docs", docs),
        Route("/docs.json", docs_json),
        *front_page.routes,
    ],
    exception_handlers={DroneSegError: _droneseg_error},
)
