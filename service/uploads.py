"""Uploads: photos as the body of a request or as files of a form, with the options beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from droneseg.errors import DroneSegError
from service.errors import InvalidRequest, RequestTooLarge, UnsupportedMediaType
from service.options import Options, PolygonOptions
from service.settings import settings

Wanted = TypeVar("Wanted", bound=PolygonOptions)
RAW = "application/octet-stream"


class Upload(NamedTuple):
    """The bytes of an image file, and its name if it has one."""

    data: bytes
    filename: str | None


async def read_upload(request: Request, field: str, options: Wanted) -> tuple[Upload, Wanted]:
    """The photo of a request, from the file field of a form or as the body itself.

    Args:
        request: whose body is there.
        field: of a form.
        options: which may be asked for, with their defaults.

    Raises:
        InvalidRequest: there is none, or an option is wrong.
        UnsupportedMediaType: the body is neither a form nor an image.
    """
    media_type = _media_type(request)
    if media_type == "multipart/form-data":
        one = InvalidRequest(f"send one photo, as a file in the multipart field '{field}'")
        async with _form(request, 1, one) as form:
            uploads = _files(form, field)
            if len(uploads) != 1:
                raise one
            return await _read(uploads[0]), _updated(options, request, form)
    if media_type in ("", "application/x-www-form-urlencoded"):
        raise InvalidRequest(
            f"send the photo as a file in the multipart field '{field}', or as the body with its "
            "Content-Type"
        )
    if media_type != RAW and not media_type.startswith("image/"):
        raise UnsupportedMediaType(
            f"send multipart/form-data, or an image as image/... or {RAW}, not {media_type}"
        )
    return Upload(await request.body(), None), _updated(options, request, FormData())


async def read_uploads(request: Request, field: str) -> tuple[list[Upload], Options]:
    """The photos of a request, from the file fields of a form, in order.

    Raises:
        InvalidRequest: there is none, or an option is wrong.
        RequestTooLarge: there are too many.
        UnsupportedMediaType: the body is no form.
    """
    media_type = _media_type(request)
    if media_type != "multipart/form-data":
        raise UnsupportedMediaType(f"send multipart/form-data, not {media_type or 'nothing'}")
    most = min(settings.max_images, settings.max_queue)
    too_many = RequestTooLarge(f"send at most {most} photos at once")
    async with _form(request, most, too_many) as form:
        uploads = _files(form, field)
        if not uploads:
            raise InvalidRequest(f"send the photos as files in multipart fields '{field}'")
        return [await _read(upload) for upload in uploads], _updated(Options(), request, form)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def _form(
    request: Request, max_files: int, too_many: DroneSegError
) -> AsyncIterator[FormData]:
    try:
        form = await request.form(max_files=max_files)
    except HTTPException as error:
        if "Too many files" in error.detail:
            raise too_many from None
        raise
    except (LookupError, UnicodeError) as error:
        raise InvalidRequest(f"the form's charset cannot be used: {error}") from None
    try:
        yield form
    finally:
        await form.close()


def _files(form: FormData, field: str) -> list[UploadFile]:
    return [value for value in form.getlist(field) if isinstance(value, UploadFile)]


async def _read(upload: UploadFile) -> Upload:
    # A form may name a charset whose text JSON cannot hold.
    name = (upload.filename or "").encode("utf-8", "replace").decode("utf-8")
    return Upload(await upload.read(), name or None)


def _updated(options: Wanted, request: Request, form: FormData) -> Wanted:
    """With those of the form, and of the query over it."""
    return options.updated(form).updated(request.query_params)
