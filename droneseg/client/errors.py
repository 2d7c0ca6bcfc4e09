"""Why no prediction came: errors of the service and of the way to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from droneseg.errors import DroneSegError


class ClientError(DroneSegError):
    """The base of what the client raises.

    Attributes:
        status: the HTTP status of the answer; where none came, what a gateway would give.
        request_id: the service's name for the request, None where it gave none.
    """

    status: int = 502
    code: str = "client_error"
    request_id: str | None = None


class ServiceError(ClientError):
    """The service answered with an error, whose code and message these are.

    Attributes:
        retry_after_s: when the service wants to be asked again, None where it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ):
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class UnexpectedAnswer(ClientError):
    """What answered does not speak like DroneSeg."""

    code = "unexpected_answer"


class InvalidURL(ClientError):
    """The text is no URL of a service."""

    status = 400
    code = "invalid_url"


class ServiceUnreachable(ClientError):
    """Nothing listens at the URL."""

    status = 503
    code = "service_unreachable"


class ConnectionLost(ClientError):
    """The connection broke before the answer was complete."""

    code = "connection_lost"


class ServiceTimeout(ClientError):
    """No answer came within the client's timeout."""

    status = 504
    code = "service_timeout"


class UnreadableFile(ClientError):
    """The file could not be read, so nothing was sent."""

    status = 400
    code = "unreadable_file"


@contextmanager
def errors_of_the_way(url: httpx.URL) -> Iterator[None]:
    """Raise httpx's errors as ours, with the URL and what to do."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ServiceUnreachable(
            f"no server answers at {url}: {describe(error)}; is it running (`make serve`), and is "
            "the URL right?"
        ) from error
    except httpx.TimeoutException as error:
        raise ServiceTimeout(f"no answer from {url}: {describe(error)}") from error
    except httpx.RequestError as error:
        raise ConnectionLost(f"the connection to {url} broke: {describe(error)}") from error


def describe(error: Exception) -> str:
    """An exception's message, or its name where it has none."""
    return str(error) or type(error).__name__
