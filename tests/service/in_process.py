"""Modules of the service in this process; what BentoML warns of when it is imported is not ours."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from service import metrics, prediction_log
    from service.lane import Lane
    from service.lanes import open_engines
    from service.photo import Photo

__all__ = ["Lane", "Photo", "metrics", "open_engines", "prediction_log"]
