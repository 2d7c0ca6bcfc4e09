"""Errors that a user can meet: what was wrong, what to do, an HTTP status, a stable code."""


class DroneSegError(Exception):
    """The base of all errors that DroneSeg raises on purpose.

    Attributes:
        status: the HTTP status that the service answers with.
        code: a name that never changes, for programs to act upon.
    """

    status: int = 500
    code: str = "internal_error"

    @property
    def message(self) -> str:
        """The text for people."""
        return str(self)


class ImageTooLarge(DroneSegError):
    """The image has more pixels than the limit."""

    status = 413
    code = "image_too_large"


class UnsupportedImage(DroneSegError):
    """The bytes are no image of a format, or of a pixel type, that DroneSeg reads."""

    status = 415
    code = "unsupported_image"


class BrokenImage(DroneSegError):
    """The bytes begin like an image but cannot be decoded to their end."""

    status = 422
    code = "broken_image"


class InvalidArray(DroneSegError):
    """An array handed to the Predictor does not have the shape or dtype that the model takes."""

    status = 422
    code = "invalid_array"


class BundleNotFound(DroneSegError):
    """There is no model bundle at the path."""

    status = 503
    code = "bundle_not_found"


class InvalidBundle(DroneSegError):
    """The bundle is incomplete, altered, or made by a version that this one cannot read."""

    status = 503
    code = "invalid_bundle"


class EngineMismatch(DroneSegError):
    """An engine does not reproduce the reference logits of the bundle's probe tiles."""

    status = 503
    code = "engine_mismatch"


class EngineNotInstalled(DroneSegError):
    """The runtime that was asked for is not installed, or not known."""

    status = 503
    code = "engine_not_installed"


class UnsupportedNetwork(DroneSegError):
    """A runtime that computes some networks alone does not compute this one; others do."""

    status = 503
    code = "unsupported_network"


class EngineFailed(DroneSegError):
    """A runtime that has its device cannot load or run the model; its own words are repeated."""

    status = 503
    code = "engine_failed"


class InvalidOption(DroneSegError):
    """A setting of the Predictor cannot have this value."""

    status = 422
    code = "invalid_option"


class WrongChannels(DroneSegError):
    """The image has other channels than the model takes, or no image file has as many."""

    status = 422
    code = "wrong_channels"


class TooManyEdges(DroneSegError):
    """The label map is too noisy, or too large, for polygons: they would take too much memory."""

    status = 422
    code = "too_many_edges"


class PolygonsNotInstalled(DroneSegError):
    """Simplified polygons were asked for, but shapely is not installed."""

    status = 503
    code = "polygons_not_installed"
