"""The OpenAPI document of all routes, and the page that shows it."""

import base64
from functools import cache
from typing import Any

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
from service.options import Options
from service.payloads import Base64Request, BatchError, ErrorAnswer, Health, Prediction

REF = "#/components/schemas/{model}"
MODELS: tuple[type[BaseModel], ...] = (
    Base64Request,
    BatchError,
    ErrorAnswer,
    Health,
    ModelInfo,
    Options,
    Prediction,
)
Json = dict[str, Any]

ANY_ROUTE = (errors.Unauthorized, errors.RequestTimeout, errors.RequestTooLarge)
PREDICTION = (
    errors.InvalidRequest,
    *ANY_ROUTE,
    ImageTooLarge,
    UnsupportedImage,
    errors.UnsupportedMediaType,
    BrokenImage,
    WrongChannels,
    errors.UnknownClass,
    TooManyEdges,
    errors.QueueFull,
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
        "paths": {**_prediction_paths(), **_model_paths(), **_health_paths()},
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
    raw = {"image/*": _file(), "application/octet-stream": _file()}
    mask = {"image/png": _file()}
    batch = {"type": "array", "items": {"anyOf": [_ref(Prediction), _ref(BatchError)]}}
    return {
        "/predict": {
            "post": _prediction(
                "A photo as the multipart field `data`, or as the body with its Content-Type. "
                "`Accept: image/png` gets the mask itself.",
                {
                    "multipart/form-data": _form("data", {"type": "string", "format": "binary"}),
                    **raw,
                },
                {"application/json": {"schema": _ref(Prediction)}, **mask},
            )
        },
        "/predict_image_bytes": {
            "post": _prediction(
                "As /predict; the multipart field is `image`.",
                {
                    **raw,
                    "multipart/form-data": _form("image", {"type": "string", "format": "binary"}),
                },
                {"application/json": {"schema": _ref(Prediction)}, **mask},
            )
        },
        "/predict_base64": {
            "post": _prediction(
                "A photo as base64, flat or in an object `req`.",
                {
                    "application/json": {
                        "schema": _ref(Base64Request),
                        "examples": _base64_examples(),
                    }
                },
                {"application/json": {"schema": _ref(Prediction)}},
                (errors.InvalidBase64,),
            )
        },
        "/batch_predict": {
            "post": _prediction(
                "Photos as multipart fields `data`. The answers are in order; a photo that cannot "
                "be segmented has an error for its answer.",
                {
                    "multipart/form-data": _form(
                        "data",
                        {"type": "array", "items": {"type": "string", "format": "binary"}},
                    )
                },
                {"application/json": {"schema": batch}},
            )
        },
    }


def _model_paths() -> Json:
    operation = {
        "tags": ["model"],
        "description": "What is served, with what, and within which limits.",
        "security": _security(),
        "responses": {
            "200": {
                "description": "the model",
                "content": {"application/json": {"schema": _ref(ModelInfo)}},
            },
            **_errors(ANY_ROUTE),
        },
    }
    return {
        "/model_info": {
            "get": {"operationId": "get_model_info", **operation},
            "post": {"operationId": "post_model_info", **operation},
        }
    }


def _health_paths() -> Json:
    text = {"text/plain": {"schema": {"type": "string"}}}
    probes = {
        "/livez": "Whether the service runs and the model's process answers.",
        "/healthz": "As /livez.",
        "/readyz": "Whether the model is warm: predictions are answered.",
    }
    index = {"application/json": {"schema": _ref(Health)}, "text/html": {"schema": {}}}
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


def _prediction(
    description: str,
    request: Json,
    answer: Json,
    also: tuple[type[DroneSegError], ...] = (),
) -> Json:
    return {
        "tags": ["prediction"],
        "description": description,
        "security": _security(),
        "parameters": _parameters(),
        "requestBody": {"required": True, "content": request},
        "responses": {
            "200": {
                "description": "the segmentation",
                "headers": {"X-Request-ID": {"schema": {"type": "string"}}},
                "content": answer,
            },
            **_errors((*also, *PREDICTION)),
        },
    }


def _errors(kinds: tuple[type[DroneSegError], ...]) -> Json:
    """A response for each status, with an example for each code."""
    by_status: dict[int, list[type[DroneSegError]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _error(status, by_status[status]) for status in sorted(by_status)}


def _error(status: int, kinds: list[type[DroneSegError]]) -> Json:
    examples = {
        kind.code: {"value": {"code": kind.code, "message": kind.__doc__, "request_id": "0f3c6a2e"}}
        for kind in kinds
    }
    response: Json = {
        "description": " or ".join(f"`{kind.code}`" for kind in kinds),
        "content": {"application/json": {"schema": _ref(ErrorAnswer), "examples": examples}},
    }
    if status in errors.RETRY_AFTER_S:
        seconds = {"type": "integer", "description": "seconds"}
        response["headers"] = {"Retry-After": {"schema": seconds}}
    return response


def _parameters() -> list[Json]:
    """The options as query parameters."""
    properties = Options.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.get("description", ""),
            "schema": _without_null(schema),
            # As classes=1,3
            **({"style": "form", "explode": False} if name == "classes" else {}),
        }
        for name, schema in properties.items()
    ]


def _form(field: str, file: Json) -> Json:
    """A multipart form: the photo or photos, and the options as further fields."""
    properties = Options.model_json_schema()["properties"]
    options = {name: _without_null(schema) for name, schema in properties.items()}
    return {
        "schema": {"type": "object", "required": [field], "properties": {field: file, **options}}
    }


def _without_null(schema: Json) -> Json:
    """In a query or form there is no null."""
    kept = {key: value for key, value in schema.items() if key not in {"anyOf", "title", "default"}}
    for choice in schema.get("anyOf", ()):
        if choice != {"type": "null"}:
            kept |= choice
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    return kept


def _base64_examples() -> Json:
    photo = base64.b64encode(encode_png(draw_scene(16, 16, seed=0))).decode("ascii")
    return {
        "flat": {"value": {"image_b64": photo}},
        "in req": {"value": {"req": {"image_b64": photo, "content_type": "image/png"}}},
        "with options": {"value": {"image_b64": photo, "render": "labels", "gsd_cm": 5}},
    }


def _security() -> list[Json]:
    """Keys are asked for only where some are set."""
    return [{}, {"bearer": []}, {"key": []}]


def _file() -> Json:
    return {"schema": {"type": "string", "format": "binary"}}


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": REF.format(model=model.__name__)}
