"""GET /drift: the newest report of the drift job; its verdict among the metrics."""

import asyncio
import json
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from droneseg.prediction_record import REPORTS
from droneseg.store import Store
from service import metrics
from service.errors import LogUnavailable, NoDriftReport
from service.prediction_log import STDOUT
from service.request_id import logger
from service.settings import settings

LOOK_EVERY_S = 60.0
# Evidently's page has its scripts in itself. They run as if from nowhere: they reach neither this
# service with the reader's rights nor any other host.
HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; img-src data:; "
    "font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'",
    "Vary": "Accept",
}


async def drift(request: Request) -> Response:
    """HTML for whoever accepts it and no JSON, JSON for others."""
    accept = request.headers.get("accept", "")
    as_page = "text/html" in accept and "application/json" not in accept
    suffix, media_type = ("html", "text/html") if as_page else ("json", "application/json")
    report = await asyncio.to_thread(_newest, suffix)
    return Response(report, media_type=media_type, headers=HEADERS)


async def keep_watch() -> None:
    """Show the newest report's verdict as metrics, for ever."""
    while True:
        try:
            report = json.loads(await asyncio.to_thread(_newest, "json"))
        except NoDriftReport:
            pass
        except LogUnavailable as error:
            logger.warning("no drift report: %s", error)
        else:
            metrics.DRIFT_SHARE.set(report["drift_share"])
            created = datetime.fromisoformat(report["created"])
            metrics.DRIFT_REPORT_TIME.set(created.timestamp())
        await asyncio.sleep(LOOK_EVERY_S)


def _newest(suffix: str) -> bytes:
    """The newest report.

    Raises:
        NoDriftReport: there is none.
        LogUnavailable: nothing can be read where the log lies.
    """
    try:
        if settings.log_url not in ("", STDOUT):
            store = Store(settings.log_url)
            names = [name for name in store.names(REPORTS) if name.endswith(f".{suffix}")]
            if names:
                return store.read(names[-1])
    except Exception as error:
        raise LogUnavailable(f"reports cannot be read: {error}; try again later") from error
    raise NoDriftReport(
        "there is no drift report yet; `python -m drift report --since 7d`, with DRONESEG_LOG_URL "
        "as this service has it, makes one"
    )
