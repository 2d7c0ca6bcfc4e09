"""A small real HTTP server that keeps the service's contract and misbehaves where a test wants."""

import asyncio
import base64
import io
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from droneseg.images import decode_image

COLORS = ["#000000", "#A03020", "#20A030", "#2030A0"]


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    filename: str
    content: bytes
    query: dict[str, str]
    authorization: str | None


Behaviour = Callable[[Received], Awaitable[Response]]


@dataclass
class StandIn:
    """The server's address, what it received, and how it behaves."""

    url: str
    behave: Behaviour
    received: list[Received] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def predict(self, request: Request) -> Response:
        async with request.form() as form:
            upload = form["data"]
            assert isinstance(upload, UploadFile)
            received = Received(
                upload.filename or "",
                await upload.read(),
                dict(request.query_params),
                request.headers.get("Authorization"),
            )
        self.received.append(received)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.behave(received)
        finally:
            self.in_flight -= 1


def labels_of(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the stand-in takes for a segmentation: four classes by the red of each pixel."""
    return photo[..., 0] // 64


async def segment(received: Received) -> Response:
    """The answer of a service that is well."""
    return JSONResponse(answer(received))


def answer(received: Received) -> dict[str, Any]:
    labels = labels_of(decode_image(received.content))
    counts = np.bincount(labels.reshape(-1), minlength=4)
    return {
        "request_id": f"request of {received.filename}",
        "filename": received.filename,
        "prediction_shape": list(labels.shape),
        "classes_found": [int(id_) for id_ in np.flatnonzero(counts)],
        "segmentation_mask": base64.b64encode(palette_png(labels)).decode(),
        "model_loaded": True,
        "classes": [
            {
                "id": id_,
                "name": f"class {id_}",
                "color": color,
                "pixels": int(counts[id_]),
                "fraction": counts[id_] / labels.size,
                "square_metres": None,
            }
            for id_, color in enumerate(COLORS)
        ],
        "timings_ms": {"decode": 1.5, "predict": 20},
        "model": {"name": "red", "hash": "ab", "engine": "none", "precision": "fp32"},
        "something_newer": 1,
    }


def palette_png(labels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(labels, "L")
    image.putpalette(b"".join(bytes.fromhex(color[1:]) for color in COLORS))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def refuse(status: int, code: str, **headers: str) -> Response:
    """An error in the service's shape."""
    body = {"code": code, "message": f"{code} it is", "request_id": "r1"}
    return JSONResponse(body, status, {k.replace("_", "-"): v for k, v in headers.items()})


def in_turn(*responses: Response) -> Behaviour:
    """Give these answers, then segment."""
    left = list(responses)

    async def behave(received: Received) -> Response:
        await asyncio.sleep(0)
        return left.pop(0) if left else await segment(received)

    return behave


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Run the server in a thread, on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        service = StandIn(f"http://127.0.0.1:{listener.getsockname()[1]}", segment)
        app = Starlette(routes=[Route("/predict", service.predict, methods=["POST"])])
        config = uvicorn.Config(app, log_level="warning", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield service
        finally:
            server.should_exit = True
            thread.join()
