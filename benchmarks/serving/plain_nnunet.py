"""nnUNetPredictor behind FastAPI, as teams write it today.

BENCH_TRAINED_FOLDER=... uvicorn benchmarks.serving.plain_nnunet:app
"""

import io
import os
import threading
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import FastAPI, File, Response
from PIL import Image

from benchmarks.latency.rows import torch_device
from export.reference import Reference
from export.trained_model import TrainedModel

app = FastAPI()
model = TrainedModel.load(Path(os.environ["BENCH_TRAINED_FOLDER"]))
reference = Reference(model, device=torch_device())
# nnUNetPredictor loads the weights anew for every photo: two at a time would be slower still.
turn = threading.Lock()


@app.get("/readyz")
def ready() -> str:
    """It listens only once the model is loaded."""
    return "ready"


@app.post("/predict")
def predict(data: Annotated[bytes, File()]) -> Response:
    """The label map of an image file, as a PNG."""
    photo = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    with turn:
        labels = reference.predict(photo, float32=False).labels
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG")
    return Response(buffer.getvalue(), media_type="image/png")
