"""ASGI middleware around BentoML's endpoints and our routes, the outermost first."""

from service.middleware.api_keys import ApiKeys
from service.middleware.error_shape import ErrorShape
from service.middleware.json_only import JsonOnly
from service.middleware.request_log import RequestLog
from service.middleware.request_metrics import RequestMetrics
from service.middleware.trailing_slash import TrailingSlash
from service.middleware.whole_body import WholeBody

MIDDLEWARE = (
    RequestLog,
    TrailingSlash,
    RequestMetrics,
    ErrorShape,
    ApiKeys,
    WholeBody,
    JsonOnly,
)
