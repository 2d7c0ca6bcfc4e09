"""The OpenAPI document of all routes, and the page that shows it."""

import base64
from functools import cache

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from droneseg import __version__
from droneseg.errors import (
    BrokenImage,
    DroneSegError,
    ImageTooLarge,
    TooManyEdges,
    UnsupportedImage,
    WrongChannels,
)
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from service import errors
from service.model_info import ModelInfo
from service.openapi_parts import (
    REF,
    Json,
    error_responses,
    file_schema,
    form,
    parameters,
    ref,
    security,
)
from service.options import Options, PolygonOptions
from service.payloads import Base64Request, BatchError, ErrorAnswer, Health, Prediction
from service.references import Reference

MODELS: tuple[type[BaseModel], ...] = (
    Base64Request,
    BatchError,
    ErrorAnswer,
    Health,
    ModelInfo,
    Options,
    Prediction,
    Reference,
)

ANY_ROUTE = (
    errors.Unauthorized,
    errors.RequestTimeout,
    errors.RequestTooLarge,
    errors.QueueFull,
)
IMAGE = (ImageTooLarge, UnsupportedImage, errors.UnsupportedMediaType, BrokenImage)
PREDICTION = (
    errors.InvalidRequest,
    *ANY_ROUTE,
    *IMAGE,
    WrongChannels,
    errors.UnknownClass,
    TooManyEdges,
    errors.PredictionFailed,
    errors.ModelNotReady,
    errors.DeadlineExceeded,
)


@cache
def document() -> Json:
    """OpenAPI 3.1, whose schemas are pydantic's."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DroneSeg",
            "version": __version__,
            "description": "Segments aerial photos exactly as the trained nnU-Net does. Photos are "
            "PNG, JPEG, TIFF, WebP or BMP; EXIF orientation is applied, and masks are upright.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": "prediction"}, {"name": "model"}, {"name": "health"}],
        "paths": {**_prediction_paths(), **_polygon_paths(), **_model_paths(), **_health_paths()},
        "components": {
            "schemas": models_json_schema(
                [(model, "validation") for model in MODELS], ref_template=REF
            )[1]["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _prediction_paths() -> Json:
    file = {"type": "string", "format": "binary"}
    raw = {"image/*": file_schema(), "application/octet-stream": file_schema()}
    mask = {"image/png": file_schema()}
    batch = {"type": "array", "items": {"anyOf": [ref(Prediction), ref(BatchError)]}}
    return {
        "/predict": {
            "post": _post(
                "A photo as the multipart field `data`, or as the body with its Content-Type. "
                "`Accept: image/png` gets the mask itself.",
                {
                    "multipart/form-data": form("data", file, Options),
                    **raw,
                },
                {"application/json": {"schema": ref(Prediction)}, **mask},
                PREDICTION,
            )
        },
        "/predict_image_bytes": {
            "post": _post(
                "As /predict; the multipart field is `image`.",
                {
                    **raw,
                    "multipart/form-data": form("image", file, Options),
                },
                {"application/json": {"schema": ref(Prediction)}, **mask},
                PREDICTION,
            )
        },
        "/predict_base64": {
            "post": _post(
                "A photo as base64, flat or in an object `req`.",
                {
                    "application/json": {
                        "schema": ref(Base64Request),
                        "examples": _base64_examples(),
                    }
                },
                {"application/json": {"schema": ref(Prediction)}},
                (errors.InvalidBase64, *PREDICTION),
            )
        },
        "/predict_uri": {
            "post": _post(
                "A photo in a bucket, for what is too large for a request. The mask is written to "
                "`output_uri`, if that is there.",
                {"application/json": {"schema": ref(Reference)}},
                {"application/json": {"schema": ref(Prediction)}},
                (
                    errors.UriNotAllowed,
                    errors.ObjectNotFound,
                    errors.StorageFailed,
                    *PREDICTION,
                ),
            )
        },
        "/batch_predict": {
            "post": _post(
                "Photos as multipart fields `data`. The answers are in order; a photo that cannot "
                "be segmented has an error for its answer.",
                {
                    "multipart/form-data": form(
                        "data",
                        {"type": "array", "items": file},
                        Options,
                    )
                },
                {"application/json": {"schema": batch}},
                PREDICTION,
            )
        },
    }


def _polygon_paths() -> Json:
    png = {"image/png": file_schema(), "application/octet-stream": file_schema()}
    file = {"type": "string", "format": "binary"}
    collection = {"schema": {"type": "object", "description": "a GeoJSON FeatureCollection"}}
    return {
        "/polygons": {
            "post": _post(
                "Polygons of a mask that is there already: a PNG whose pixel values are class ids, "
                "as `render=labels` gives it. The model is not asked.",
                {**png, "multipart/form-data": form("data", file, PolygonOptions)},
                {"application/geo+json": collection},
                (
                    errors.InvalidRequest,
                    *ANY_ROUTE,
                    *IMAGE,
                    errors.UnknownClass,
                    TooManyEdges,
                    errors.DeadlineExceeded,
                ),
                PolygonOptions,
            )
        }
    }


def _model_paths() -> Json:
    operation: Json = {
        "tags": ["model"],
        "description": "What is served, with what, and within which limits.",
        "security": security(),
        "responses": {
            "200": {
                "description": "the model",
                "content": {"application/json": {"schema": ref(ModelInfo)}},
            },
            **error_responses(ANY_ROUTE),
        },
    }
    drift: Json = {
        "operationId": "get_drift",
        **operation,
        "description": "The newest report of whether photos are still like those that the model "
        "was made with, JSON or HTML by `Accept`.",
        "responses": {
            "200": {
                "description": "the report",
                "content": {"application/json": {"schema": {}}, "text/html": {"schema": {}}},
            },
            **error_responses((*ANY_ROUTE, errors.NoDriftReport, errors.LogUnavailable)),
        },
    }
    return {
        "/drift": {"get": drift},
        "/model_info": {
            "get": {"operationId": "get_model_info", **operation},
            "post": {"operationId": "post_model_info", **operation},
        },
    }


def _health_paths() -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    probes = {
        "/livez": "Whether the service runs and the model's process answers.",
        "/healthz": "As /livez.",
        "/readyz": "Whether the model is warm: predictions are answered.",
    }
    index = {"application/json": {"schema": ref(Health)}, "text/html": {"schema": {}}}
    return {
        "/": {"get": _get("The page for browsers, health for JSON clients.", index)},
        **{
            path: {"get": _get(description, text, {"503": "not, or not yet"})}
            for path, description in probes.items()
        },
        "/metrics": {"get": _get("Prometheus metrics.", text)},
    }


def _get(description: str, content: Json, others: dict[str, str] | None = None) -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "tags": ["health"],
        "description": description,
        "responses": {
            "200": {"description": "yes", "content": content},
            **{
                status: {"description": why, "content": text}
                for status, why in (others or {}).items()
            },
        },
    }


def _post(
    description: str,
    request: Json,
    answer: Json,
    kinds: tuple[type[DroneSegError], ...],
    options: type[PolygonOptions] = Options,
) -> Json:
    return {
        "tags": ["prediction"],
        "description": description,
        "security": security(),
        "parameters": parameters(options),
        "requestBody": {"required": True, "content": request},
        "responses": {
            "200": {
                "description": "what was asked for",
                "headers": {"X-Request-ID": {"schema": {"type": "string"}}},
                "content": answer,
            },
            **error_responses(kinds),
        },
    }


def _base64_examples() -> Json:
    photo = base64.b64encode(encode_png(draw_scene(16, 16, seed=0))).decode("ascii")
    return {
        "flat": {"value": {"image_b64": photo}},
        "in req": {"value": {"req": {"image_b64": photo, "content_type": "image/png"}}},
        "with options": {"value": {"image_b64": photo, "render": "labels", "gsd_cm": 5}},
    }
