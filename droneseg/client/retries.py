"""When a busy service is asked again: by its Retry-After, a bounded number of times."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random,
    wait_random_exponential,
)

from droneseg.client.errors import ServiceError

BUSY = (429, 503)
BACKOFF = wait_random_exponential(multiplier=0.5, max=30)
# Clients that were all told the same time should not all come back at once.
JITTER = wait_random(0, 0.2)

Controller = TypeVar("Controller", Retrying, AsyncRetrying)


def retries(controller: type[Controller], attempts: int, within_s: float) -> Controller:
    """Tenacity's controller, which raises the last error when it gives up.

    Args:
        controller: for functions or for coroutines.
        attempts: requests in all.
        within_s: a waiting time that would end later than this after the first request is not
            begun.
    """
    return controller(
        retry=retry_if_exception(is_busy),
        wait=waiting_time_s,
        stop=stop_after_attempt(attempts) | stop_before_delay(within_s),
        reraise=True,
    )


def is_busy(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    return isinstance(error, ServiceError) and error.status in BUSY


def waiting_time_s(state: RetryCallState) -> float:
    """What the service asked for, or else longer after each attempt."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ServiceError) and error.retry_after_s is not None:
        return error.retry_after_s + JITTER(state)
    return BACKOFF(state)


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from now; the header has seconds or a date (RFC 9110), None for anything else."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    # "-0000" gives a date without a time zone, which RFC 5322 defines as UTC.
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
