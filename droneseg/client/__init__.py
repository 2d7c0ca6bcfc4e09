"""A client of the service: `pip install "droneseg[client]"`."""

from droneseg.client.asynchronous import AsyncClient
from droneseg.client.errors import (
    ClientError,
    ConnectionLost,
    ServiceError,
    ServiceTimeout,
    ServiceUnreachable,
    UnexpectedAnswer,
    UnreadableFile,
)
from droneseg.client.prediction import ClassArea, Model, Prediction
from droneseg.client.synchronous import Client

__all__ = [
    "AsyncClient",
    "ClassArea",
    "Client",
    "ClientError",
    "ConnectionLost",
    "Model",
    "Prediction",
    "ServiceError",
    "ServiceTimeout",
    "ServiceUnreachable",
    "UnexpectedAnswer",
    "UnreadableFile",
]
