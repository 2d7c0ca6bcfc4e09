"""Parts of the OpenAPI document: errors, options, files."""

from typing import Any

from pydantic import BaseModel

from droneseg.errors import DroneSegError
from service.errors import RETRY_AFTER_S
from service.options import PolygonOptions
from service.payloads import ErrorAnswer

REF = "#/components/schemas/{model}"
Json = dict[str, Any]


def error_responses(kinds: tuple[type[DroneSegError], ...]) -> Json:
    """A response for each status, with an example for each code."""
    by_status: dict[int, list[type[DroneSegError]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _error_response(status, by_status[status]) for status in sorted(by_status)}


def _error_response(status: int, kinds: list[type[DroneSegError]]) -> Json:
    examples = {
        kind.code: {"value": {"code": kind.code, "message": kind.__doc__, "request_id": "0f3c6a2e"}}
        for kind in kinds
    }
    response: Json = {
        "description": " or ".join(f"`{kind.code}`" for kind in kinds),
        "content": {"application/json": {"schema": ref(ErrorAnswer), "examples": examples}},
    }
    if status in RETRY_AFTER_S:
        seconds = {"type": "integer", "description": "seconds"}
        response["headers"] = {"Retry-After": {"schema": seconds}}
    return response


def parameters(options: type[PolygonOptions]) -> list[Json]:
    """The options as query parameters."""
    properties = options.model_json_schema()["properties"]
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


def form(field: str, file: Json, options: type[PolygonOptions]) -> Json:
    """A multipart form: the photo or photos, and the options as further fields."""
    properties = options.model_json_schema()["properties"]
    fields = {name: _without_null(schema) for name, schema in properties.items()}
    return {
        "schema": {"type": "object", "required": [field], "properties": {field: file, **fields}}
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


def security() -> list[Json]:
    """Keys are asked for only where some are set."""
    return [{}, {"bearer": []}, {"key": []}]


def file_schema() -> Json:
    """Bytes."""
    return {"schema": {"type": "string", "format": "binary"}}


def ref(model: type[BaseModel]) -> Json:
    """To a model among the components."""
    return {"$ref": REF.format(model=model.__name__)}
