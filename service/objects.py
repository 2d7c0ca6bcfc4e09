"""Objects in Google Cloud Storage: photos and masks too large for a request, models to pull."""

import asyncio
import os
from typing import Any

import aiohttp

from service.errors import ObjectNotFound, RequestTooLarge, StorageFailed, UriNotAllowed

SCHEME = "gs://"
# By default gcsfs asks of every bucket what kind it is, for which it wants further permissions.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


def require_allowed(uri: str, prefixes: tuple[str, ...], what: str) -> None:
    """Whether an object may be named.

    Args:
        uri: of the object.
        prefixes: buckets, or folders in them.
        what: `image_uri` or `output_uri`, for the error.

    Raises:
        UriNotAllowed: it is not below any of the prefixes.
    """
    parts = uri.removeprefix(SCHEME).split("/")
    is_plain = uri.startswith(SCHEME) and not {"", ".", ".."} & set(parts) and "#" not in uri
    if not is_plain or not any(uri.startswith(f"{prefix.rstrip('/')}/") for prefix in prefixes):
        allowed = ", ".join(prefixes) or "nowhere, as the service's settings name no prefix"
        raise UriNotAllowed(f"{what} must be an object below one of these: {allowed}")


async def read_object(uri: str, max_bytes: int) -> bytes:
    """The bytes of an object.

    Raises:
        ObjectNotFound: there is none, or the service may not read it.
        RequestTooLarge: it has more bytes.
        StorageFailed: the storage did not answer.
    """

    def read(fs: Any) -> bytes:
        size = fs.info(uri)["size"]
        if size > max_bytes:
            raise RequestTooLarge(f"{uri} has {size} bytes; at most {max_bytes} are read")
        data: bytes = fs.cat_file(uri)
        return data

    data: bytes = await _with_storage(read, uri)
    return data


async def write_object(uri: str, data: bytes, content_type: str) -> None:
    """Write an object, over another if there is one.

    Raises:
        ObjectNotFound: there is no such bucket, or the service may not write there.
        StorageFailed: the storage did not answer.
    """
    await _with_storage(lambda fs: fs.pipe_file(uri, data, content_type=content_type), uri)


async def _with_storage(work: Any, uri: str) -> Any:
    from gcsfs import GCSFileSystem
    from gcsfs.retry import HttpError

    def run() -> Any:
        return work(GCSFileSystem(use_listings_cache=False))

    try:
        return await asyncio.to_thread(run)
    except (FileNotFoundError, PermissionError) as error:
        raise ObjectNotFound(f"{uri} is not there, or the service may not use it") from error
    except (HttpError, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise StorageFailed(f"the storage did not answer for {uri}; try again later") from error
