"""A stand-in for a Triton server: a model repository over HTTP, with ONNX Runtime behind it.

It reads config.pbtxt as Triton does and refuses what Triton would refuse: other names, types and
shapes, and batches above max_batch_size. Run as `python triton_server.py REPOSITORY PORT`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from google.protobuf import text_format
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tritonclient.grpc.model_config_pb2 import ModelConfig

HEADER_LENGTH = "Inference-Header-Content-Length"


class Model:
    """A folder of the repository."""

    def __init__(self, folder: Path):
        self.config = text_format.Parse((folder / "config.pbtxt").read_text(), ModelConfig())
        assert self.config.name == folder.name
        assert self.config.backend == "onnxruntime"
        self._session = onnxruntime.InferenceSession(folder / "1" / "model.onnx")

    def infer(self, name: str, shape: list[int], data: bytes) -> np.typing.NDArray[np.float32]:
        (expected,) = self.config.input
        batch, *dims = shape
        if name != expected.name or dims != list(expected.dims):
            raise ValueError(f"expected {expected}, got {name} {shape}")
        if batch > self.config.max_batch_size:
            raise ValueError(f"a batch of {batch} is above {self.config.max_batch_size}")
        tiles = np.frombuffer(data, np.float32).reshape(shape)
        (output,) = self.config.output
        (logits,) = self._session.run([output.name], {name: tiles})
        assert list(logits.shape[1:]) == list(output.dims)
        return np.ascontiguousarray(logits)


def application(repository: Path) -> Starlette:
    """The part of KServe's protocol, with Triton's binary extension, that a client uses."""
    models = {path.parent.name: Model(path.parent) for path in repository.glob("*/config.pbtxt")}

    async def ready(_: Request) -> Response:
        return Response()

    async def infer(request: Request) -> Response:
        body = await request.body()
        length = int(request.headers[HEADER_LENGTH])
        asked: dict[str, Any] = json.loads(body[:length])
        (tiles,) = asked["inputs"]
        try:
            logits = models[request.path_params["model"]].infer(
                tiles["name"], tiles["shape"], body[length:]
            )
        except (KeyError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        described = {
            "name": "logits",
            "datatype": "FP32",
            "shape": logits.shape,
            "parameters": {"binary_data_size": logits.nbytes},
        }
        header = json.dumps({"model_name": "", "outputs": [described]}).encode()
        headers = {HEADER_LENGTH: str(len(header))}
        return Response(header + logits.tobytes(), headers=headers)

    return Starlette(
        routes=[
            Route("/v2/health/ready", ready),
            Route("/v2/models/{model}/infer", infer, methods=["POST"]),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning")
