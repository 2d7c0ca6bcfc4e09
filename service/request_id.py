"""The id of the request that is being worked on, for answers, errors and log lines."""

import logging
import re
import uuid
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def choose_request_id(given: str | None) -> str:
    """The id that a client gave if it is harmless in logs and headers, a new one otherwise."""
    return given if given and SANE.fullmatch(given) else uuid.uuid4().hex


# BentoML shows the messages of its own loggers only.
logger = logging.getLogger("bentoml.droneseg")
