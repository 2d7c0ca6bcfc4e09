"""Photos by reference: read from a bucket, their masks written to one."""

import asyncio
import base64
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError
from starlette.requests import Request

from service.errors import InvalidRequest
from service.objects import read_object, require_allowed, write_object
from service.options import Options, describe
from service.payloads import Prediction
from service.settings import settings

if TYPE_CHECKING:
    from service.front import DroneSeg


class Reference(Options):
    """Where a photo lies and where its mask goes, and what to do with it."""

    image_uri: Annotated[str, Field(description="gs://bucket/photo, below an allowed prefix")]
    output_uri: Annotated[
        str | None, Field(description="the mask is written there, not answered with")
    ] = None


async def predict_reference(request: Request, front: "DroneSeg") -> Prediction:
    """Segment the photo that a request names.

    Raises:
        InvalidRequest: the body is not a Reference.
        UriNotAllowed: the settings do not allow its objects.
        DroneSegError: the photo cannot be read or segmented, or its mask not be written.
    """
    reference = await _reference(request)
    options = Options.model_construct(
        **{name: getattr(reference, name) for name in Options.model_fields}
    ).updated(request.query_params)
    require_allowed(reference.image_uri, settings.input_prefixes, "image_uri")
    if reference.output_uri is not None:
        require_allowed(reference.output_uri, settings.output_prefixes, "output_uri")
        if options.render == "none":
            raise InvalidRequest("render=none leaves no mask to write to output_uri")
    front.require_ready()
    with front.queue.hold(1):
        photo = await read_object(reference.image_uri, settings.max_object_bytes)
        name = reference.image_uri.rpartition("/")[2]
        prediction = await front.segment(photo, options, name)
    return await _delivered(prediction, reference.output_uri)


async def _reference(request: Request) -> Reference:
    try:
        return Reference.model_validate_json(await request.body())
    except ValidationError as error:
        raise InvalidRequest(describe(error)) from None


async def _delivered(prediction: Prediction, output_uri: str | None) -> Prediction:
    if output_uri is None or prediction.segmentation_mask is None:
        return prediction
    mask = await asyncio.to_thread(base64.b64decode, prediction.segmentation_mask)
    await write_object(output_uri, mask, "image/png")
    return prediction.model_copy(update={"segmentation_mask": None, "output_uri": output_uri})
