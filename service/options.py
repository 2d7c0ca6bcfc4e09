"""Options: what a client may ask for with a photo."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.datastructures import ImmutableMultiDict, UploadFile

from droneseg.segmentation import OVERLAY_ALPHA
from service.errors import InvalidRequest

MAX_TOLERANCE_PX = 100
MAX_GSD_CM = 100_000


def _split(value: object) -> object:
    """Ids and names as a list, whether they come as one, or as text with commas."""
    parts = value if isinstance(value, list) else [value]
    return [
        name.strip() if isinstance(name, str) else name
        for part in parts
        for name in (part.split(",") if isinstance(part, str) else [part])
    ]


class PolygonOptions(BaseModel):
    """Which polygons to make of a label map."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    tolerance_px: Annotated[
        float,
        Field(
            ge=0,
            le=MAX_TOLERANCE_PX,
            description="polygons are simplified: details of less than about its square in area "
            "go, thin strips among them; 0: exact",
        ),
    ] = 0.0
    min_area_px: Annotated[
        int, Field(ge=0, le=2**31, description="smaller polygons are left out")
    ] = 0
    classes: Annotated[
        list[int | str] | None,
        BeforeValidator(lambda value: None if value is None else _split(value)),
        Field(description="ids or names to keep, as a list or separated by commas; all if absent"),
    ] = None

    def updated(self, query: ImmutableMultiDict[str, Any]) -> Self:
        """These options with those of a query or form over them.

        Raises:
            InvalidRequest: there is no such option, or it cannot have this value.
        """
        given = {key: query.getlist(key) for key in query if not _is_file(query[key])}
        values = {key: v if key == "classes" else v[-1] for key, v in given.items()}
        if not values:
            return self
        try:
            return type(self).model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            raise InvalidRequest(describe(error)) from None


class Options(PolygonOptions):
    """How to segment and what to answer; the same on every prediction route."""

    render: Annotated[
        Literal["color", "labels", "overlay", "none"],
        Field(
            description="the mask: a PNG in the classes' colours, a palette PNG whose pixel values "
            "are the class ids, the colours over the photo, or none"
        ),
    ] = "color"
    alpha: Annotated[
        float, Field(ge=0, le=1, description="of an overlay: 0 is the photo, 1 the colours")
    ] = OVERLAY_ALPHA
    polygons: Annotated[
        bool, Field(description="GeoJSON polygons with holes, in pixel coordinates")
    ] = False
    rle: Annotated[bool, Field(description="COCO run lengths of each class")] = False
    probabilities: Annotated[
        bool, Field(description="base64 of an npz: `probabilities` uint8 [K, H, W], 255 is 1")
    ] = False
    mode: Annotated[
        Literal["exact", "fast"],
        Field(description="nnU-Net's own settings, or fewer windows, not mirrored"),
    ] = "exact"
    gsd_cm: Annotated[
        float | None,
        Field(gt=0, le=MAX_GSD_CM, description="centimetres a pixel, for square metres"),
    ] = None
    confidence: Annotated[
        bool,
        Field(description="the mean probability of the chosen class, on every 8th row and column"),
    ] = False


def _is_file(value: object) -> bool:
    return isinstance(value, UploadFile)


def describe(error: ValidationError) -> str:
    """Which options are wrong and how, without pydantic's addresses."""
    return "; ".join(
        f"{'.'.join(map(str, detail['loc'][:1]))}: {detail['msg']}" for detail in error.errors()
    )
