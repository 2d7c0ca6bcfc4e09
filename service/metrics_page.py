"""GET /metrics: what all processes of the service have counted, added up."""

import asyncio
import os
from pathlib import Path

import psutil
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.requests import Request
from starlette.responses import Response


async def metrics(_: Request) -> Response:
    """Prometheus' text format."""
    text = await asyncio.to_thread(_exposition, Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _exposition(folder: Path) -> bytes:
    _forget_the_dead(folder)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """What a killed worker held in its queue is not held any longer; its counts stay."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
