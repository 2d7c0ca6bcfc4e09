"""What goes in and out as JSON."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema
from starlette.responses import JSONResponse

from droneseg.errors import DroneSegError
from service.errors import RETRY_AFTER_S, InvalidBase64
from service.options import Options
from service.request_id import REQUEST_ID


class Base64Image(Options):
    """An image file as base64 text, and what to do with it."""

    image_b64: Annotated[str, Field(description="base64 of a PNG, JPEG, TIFF, WebP or BMP file")]
    content_type: Annotated[
        str | None, Field(description="such as image/png; the bytes themselves decide")
    ] = None
    filename: Annotated[str | None, Field(description="comes back with the answer")] = None


class Base64Request(Options):
    """A photo as base64, flat or in an object `req`."""

    image_b64: str | None = None
    content_type: str | None = None
    filename: str | None = None
    req: Base64Image | None = None


class ClassArea(BaseModel):
    """A class of the model and its share of the photo."""

    id: int
    name: str
    color: Annotated[str, Field(description="as #RRGGBB")]
    pixels: int
    fraction: Annotated[float, Field(description="of all pixels of the photo")]
    square_metres: Annotated[float | None, Field(description="where gsd_cm was given")] = None


class ServedModel(BaseModel):
    """What segmented the photo."""

    name: str
    hash: Annotated[str, Field(description="identifies the model: the bundle's content hash")]
    engine: str
    precision: str


class Rle(BaseModel):
    """The pixels of one class as COCO run lengths, down the columns, beginning with others."""

    id: int
    name: str
    size: Annotated[list[int], Field(description="height and width in px")]
    counts: list[int]


class Timings(BaseModel):
    """Milliseconds of each stage."""

    decode: float
    queue: Annotated[float, Field(description="until the photo's batch began")]
    predict: float
    encode: float
    total: float


class Prediction(BaseModel):
    """The answer for one photo."""

    request_id: str
    filename: str | None
    prediction_shape: Annotated[list[int], Field(description="height and width in px")]
    classes_found: Annotated[list[int], Field(description="ids of the classes that occur")]
    segmentation_mask: Annotated[
        str | None, Field(description="base64 of a PNG as large as the photo; see `render`")
    ]
    model_loaded: Annotated[bool, Field(description="always true: there is no answer without")]
    classes: list[ClassArea]
    timings_ms: Timings
    model: ServedModel
    polygons: Annotated[
        str | None,
        WithJsonSchema({"type": "object", "description": "a GeoJSON FeatureCollection"}),
        Field(description="its text, which goes into the answer as it is"),
    ] = None
    rle: list[Rle] | None = None
    probabilities: Annotated[str | None, Field(description="base64 of an npz")] = None
    confidence: float | None = None
    output_uri: Annotated[str | None, Field(description="where the mask was written")] = None

    def as_json(self) -> str:
        """JSON without the fields that were not asked for.

        They cannot be null: BentoML's client would stumble over a list that is.
        """
        text = self.model_dump_json(exclude_unset=True, exclude={"polygons"})
        return text if self.polygons is None else f'{text[:-1]},"polygons":{self.polygons}}}'


class ErrorAnswer(BaseModel):
    """What every error looks like."""

    code: Annotated[str, Field(description="never changes; for programs to act upon")]
    message: Annotated[str, Field(description="what was wrong and what to do")]
    request_id: str


class BatchError(ErrorAnswer):
    """The entry of a photo that could not be segmented, in a batch of which others could."""

    filename: str | None

    def as_json(self) -> str:
        """As JSON."""
        return self.model_dump_json()


class Health(BaseModel):
    """What `GET /` says to programs."""

    status: Literal["ok"]
    model_status: Literal["ready", "warming_up"]


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


def error_content(error: DroneSegError) -> dict[str, str]:
    """An error as JSON types."""
    return {"code": error.code, "message": error.message, "request_id": REQUEST_ID.get()}


def error_response(error: DroneSegError) -> JSONResponse:
    """An error as JSON with its status, and when to come again."""
    retry_after_s = RETRY_AFTER_S.get(error.status)
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else None
    return JSONResponse(error_content(error), status_code=error.status, headers=headers)
