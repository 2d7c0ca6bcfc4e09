"""What goes in and out as JSON."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, ParamSpec, TypeVar, cast

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from droneseg.errors import DroneSegError
from droneseg.segmentation import Segmentation
from service.errors import InvalidBase64

P = ParamSpec("P")
R = TypeVar("R")


class Base64Image(BaseModel):
    """An image file as base64 text."""

    image_b64: Annotated[str, Field(description="base64 of a PNG, JPEG, TIFF, WebP or BMP file")]
    content_type: Annotated[
        str | None, Field(description="such as image/png; the bytes themselves decide")
    ] = None


class Prediction(BaseModel):
    """The answer for one photo."""

    prediction_shape: Annotated[list[int], Field(description="height and width in px")]
    classes_found: Annotated[list[int], Field(description="ids of the classes that occur")]
    segmentation_mask: Annotated[
        str, Field(description="base64 of a PNG in the classes' colours, as large as the photo")
    ]
    model_loaded: Annotated[bool, Field(description="always true: there is no answer without")]

    @classmethod
    def of(cls, segmentation: Segmentation) -> "Prediction":
        """Render a segmentation."""
        return cls(
            prediction_shape=list(segmentation.labels.shape),
            classes_found=segmentation.classes_found,
            segmentation_mask=base64.b64encode(segmentation.color_png()).decode("ascii"),
            model_loaded=True,
        )


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text; line breaks and a `data:` prefix are allowed.

    Raises:
        InvalidBase64: it has other characters, a wrong length, or nothing in it.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidBase64(f"image_b64 is not base64: {error}") from None
    if not data:
        raise InvalidBase64("image_b64 is empty")
    return data


def error_response(error: DroneSegError) -> JSONResponse:
    """An error as JSON with its status."""
    return JSONResponse({"code": error.code, "message": error.message}, status_code=error.status)


def errors_as_json(endpoint: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Let an endpoint answer with the errors that it raises.

    BentoML would turn them into a 500; it sends a Response as it is, whatever the annotation says.
    """

    @wraps(endpoint)
    async def answer(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await endpoint(*args, **kwargs)
        except DroneSegError as error:
            return cast("R", error_response(error))

    return answer
