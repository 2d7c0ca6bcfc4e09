"""Errors of reports, which the command line shows without a traceback."""

from droneseg.errors import DroneSegError


class NoReference(DroneSegError):
    """The bundle has no reference profile, or one of another model."""

    code = "no_reference"


class NoLog(DroneSegError):
    """There is no prediction log that could be read."""

    code = "no_log"


class TooLittleData(DroneSegError):
    """There are too few predictions, or photos, to compare."""

    code = "too_little_data"
