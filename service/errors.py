"""Errors that only a service has."""

from droneseg.errors import DroneSegError

# What to say of errors that BentoML and Starlette answer with themselves.
CODES = {
    400: "invalid_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
    429: "queue_full",
    503: "model_not_ready",
    504: "deadline_exceeded",
}
RETRY_AFTER_S = {429: 2, 503: 5}


class InvalidRequest(DroneSegError):
    """The request has no image where one is expected, or an option that is none."""

    status = 400
    code = "invalid_request"


class InvalidBase64(DroneSegError):
    """The text is not base64."""

    status = 400
    code = "invalid_base64"


class Unauthorized(DroneSegError):
    """The request has no API key, or a wrong one."""

    status = 401
    code = "unauthorized"


class UriNotAllowed(DroneSegError):
    """The settings do not allow the object that a request names."""

    status = 403
    code = "uri_not_allowed"


class ObjectNotFound(DroneSegError):
    """There is no such object or bucket, or the service may not use it."""

    status = 422
    code = "object_not_found"


class StorageFailed(DroneSegError):
    """The storage of an object did not answer."""

    status = 502
    code = "storage_failed"


class RequestTooLarge(DroneSegError):
    """The body or object has more bytes, or the batch more photos, than the limit."""

    status = 413
    code = "request_too_large"


class RequestTimeout(DroneSegError):
    """The body did not come in time."""

    status = 408
    code = "request_timeout"


class UnsupportedMediaType(DroneSegError):
    """The body is of a type that the route does not take."""

    status = 415
    code = "unsupported_media_type"


class UnknownClass(DroneSegError):
    """A class to keep is not one of the model."""

    status = 422
    code = "unknown_class"


class QueueFull(DroneSegError):
    """As many photos, or bytes of them, as allowed wait already."""

    status = 429
    code = "queue_full"


class ClientClosedRequest(DroneSegError):
    """The client went away before its answer; it is in logs and metrics alone."""

    # As nginx calls it.
    status = 499
    code = "client_closed_request"


class ModelNotReady(DroneSegError):
    """The model is still warming up, or it has stopped."""

    status = 503
    code = "model_not_ready"


class PredictionFailed(DroneSegError):
    """The engine failed on a photo that is well-formed."""

    code = "prediction_failed"


class DeadlineExceeded(DroneSegError):
    """The photo, or those before it in the queue, took longer than the timeout."""

    status = 504
    code = "deadline_exceeded"


class NoDriftReport(DroneSegError):
    """The drift job has not made a report yet."""

    status = 404
    code = "no_drift_report"


class LogUnavailable(DroneSegError):
    """What lies beside the prediction log cannot be read."""

    status = 503
    code = "log_unavailable"
