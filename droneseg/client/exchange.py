"""What the two clients share: a photo as a request, and what comes back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from droneseg.client.errors import InvalidURL, ServiceError, UnexpectedAnswer, UnreadableFile
from droneseg.client.prediction import Prediction
from droneseg.client.retries import parse_retry_after

Photo = bytes | str | Path
Option = str | int | float | bool | Sequence[str | int]

CONNECT_S = 10
# How many photos are begun before the first of them is answered, for each that is in flight: one
# slow photo does not hold up the others, and results do not pile up.
AHEAD = 4


@dataclass(frozen=True, slots=True)
class Upload:
    """A photo on its way: sent as a file, so that the answer can name it."""

    name: str
    content: bytes

    @classmethod
    def of(cls, photo: Photo) -> "Upload":
        """Take bytes, or read a file.

        Raises:
            UnreadableFile: it cannot be read.
        """
        if isinstance(photo, bytes):
            return cls("photo", photo)
        try:
            return cls(Path(photo).name, Path(photo).read_bytes())
        except OSError as error:
            raise UnreadableFile(f"{photo}: {error.strerror or error}") from error

    @property
    def files(self) -> dict[str, tuple[str, bytes]]:
        """The multipart field that the service expects."""
        return {"data": (self.name, self.content)}


def headers(api_key: str | None) -> dict[str, str]:
    """What every request carries."""
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def base_url(url: str) -> httpx.URL:
    """Where the service lives.

    Raises:
        InvalidURL: the text names no scheme or host, or is no URL at all.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise InvalidURL(f"'{url}' is no URL of a service; give one like http://localhost:3000")
    return parsed


def read(response: httpx.Response) -> Prediction:
    """The prediction in an answer.

    Raises:
        ServiceError: the answer is an error.
        UnexpectedAnswer: it is not that of a DroneSeg service.
    """
    if response.is_success:
        return Prediction.of(response.content)
    raise _error(response)


def _error(response: httpx.Response) -> ServiceError:
    """The error in an answer; one of a proxy in between has no code of ours."""
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, Mapping):
        body = {}
    status = response.status_code
    return ServiceError(
        str(body.get("message", f"{response.url} answered {status} {response.reason_phrase}")),
        status=status,
        code=str(body.get("code", UnexpectedAnswer.code)),
        request_id=body.get("request_id"),
        retry_after_s=parse_retry_after(response.headers.get("Retry-After")),
    )
