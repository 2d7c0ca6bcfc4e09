"""A client of the service: `pip install "droneseg[client]"`."""

from droneseg.client.asynchronous import AsyncClient
from droneseg.client.errors import (
    ClientError,
    ConnectionLost,
    InvalidURL,
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
    "InvalidURL",
    "Model",
    "Prediction",
    "ServiceError",
    "ServiceTimeout",
    "ServiceUnreachable",
    "UnexpectedAnswer",
    "UnreadableFile",
]
