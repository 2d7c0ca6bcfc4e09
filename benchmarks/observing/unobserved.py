"""The service without metrics and prediction log.

bentoml serve benchmarks.observing.unobserved:DroneSeg
"""

from typing import Any

from service import front, metrics
from service.front import DroneSeg
from service.middleware.request_metrics import RequestMetrics

__all__ = ["DroneSeg"]


def nothing(*_: Any, **__: Any) -> dict[str, float]:
    """In the place of what observes."""
    return {}


unknown: Any = DroneSeg
unknown.middlewares[:] = [m for m in unknown.middlewares if m[0] is not RequestMetrics]
for name in ("see", "describe_photo", "_fractions"):
    setattr(front, name, nothing)
metrics.observe_batch = nothing  # type: ignore[assignment]
