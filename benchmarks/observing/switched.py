"""The service with a switch for metrics and prediction log.

bentoml serve benchmarks.observing.switched:DroneSeg, with OBSERVING_OFF set to a path: while there
is a file, nothing is observed. Two services would differ in more than that: processes whose memory
lies elsewhere are some per cent faster or slower for as long as they live.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from service import front, metrics
from service.front import DroneSeg
from service.middleware.request_metrics import RequestMetrics
from service.sighting import describe, fractions_of, see

__all__ = ["DroneSeg"]

OFF = Path(os.environ["OBSERVING_OFF"])


def switched(observe: Callable[..., Any]) -> Callable[..., Any]:
    """The function, or nothing while it is switched off."""

    def call(*arguments: Any) -> Any:
        return None if OFF.exists() else observe(*arguments)

    return call


class SwitchedMetrics:
    """RequestMetrics, or nothing while it is switched off."""

    def __init__(self, app: ASGIApp):
        self._on, self._off = RequestMetrics(app), app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await (self._off if OFF.exists() else self._on)(scope, receive, send)


unknown: Any = DroneSeg
unknown.middlewares[:] = [
    (SwitchedMetrics if middleware is RequestMetrics else middleware, *rest)
    for middleware, *rest in unknown.middlewares
]
for owner, name, replacement in (
    (front, "describe", switched(describe)),
    (front, "fractions_of", switched(fractions_of)),
    (front, "see", switched(see)),
    (metrics, "observe_batch", switched(metrics.observe_batch)),
):
    setattr(owner, name, replacement)
