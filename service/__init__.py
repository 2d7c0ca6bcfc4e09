"""The BentoML service: `bentoml serve service:DroneSeg`."""

from service.front import DroneSeg

__all__ = ["DroneSeg"]
