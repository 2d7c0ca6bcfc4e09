"""Log lines: JSON for what collects them, text on a terminal; each with its request's id."""

import logging
import sys

from opentelemetry.trace import get_current_span
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from service.request_id import REQUEST_ID

# BentoML's loggers; the root has what libraries say.
LOGGERS = ("", "bentoml", "uvicorn.error", "circus")
TEXT = "%(asctime)s [%(levelname)s] [%(request_id)s] %(message)s"
FIELDS = ["asctime", "levelname", "message", "request_id", "name"]
# As Google Cloud Logging reads them; other collectors are told by name.
NAMES = {"asctime": "time", "levelname": "severity", "name": "logger"}
# Attributes that BentoML gives every line, for a format of its own.
BENTOML = ("levelname_bracketed", "trace_msg", "service_name")
TIME = "%Y-%m-%dT%H:%M:%S%z"


def configure_logs() -> None:
    """Give every handler of this process our formatter, whoever made it."""
    # A traceback for each write that failed, of which the prediction log has a line already.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    formatter = make_formatter(terminal=sys.stdout.isatty())
    for name in LOGGERS:
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(formatter)
            handler.addFilter(_add_ids)


def make_formatter(*, terminal: bool) -> logging.Formatter:
    """Text for a terminal, otherwise a JSON object a line, with what was given as `extra`."""
    if terminal:
        return logging.Formatter(TEXT, TIME)
    return JsonFormatter(
        FIELDS, TIME, rename_fields=NAMES, reserved_attrs=[*RESERVED_ATTRS, *BENTOML]
    )


def _add_ids(record: logging.LogRecord) -> bool:
    record.request_id = REQUEST_ID.get()
    span = get_current_span().get_span_context()
    if span.is_valid:
        record.trace_id, record.span_id = f"{span.trace_id:032x}", f"{span.span_id:016x}"
    return True
