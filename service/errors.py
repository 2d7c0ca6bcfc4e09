"""Errors that only a service has."""

from droneseg.errors import DroneSegError


class InvalidRequest(DroneSegError):
    """The request has no image where one is expected."""

    status = 400
    code = "invalid_request"


class InvalidBase64(DroneSegError):
    """The text is not base64."""

    status = 400
    code = "invalid_base64"


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
