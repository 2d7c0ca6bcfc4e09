"""Our Predictor behind FastAPI, without batching or anything else that our service has.

DRONESEG_MODEL=... BENCH_MODE=exact uvicorn benchmarks.serving.plain_engine:app
"""

import io
import os
import threading
from typing import Annotated

import numpy as np
from fastapi import FastAPI, File, Response
from PIL import Image

from droneseg.mode import Mode
from droneseg.predictor import Predictor

MODES: dict[str, Mode] = {"exact": "exact", "fast": "fast"}

app = FastAPI()
predictor = Predictor(os.environ["DRONESEG_MODEL"], mode=MODES[os.environ["BENCH_MODE"]])
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
        (segmentation,) = predictor.segment([photo])
    return Response(segmentation.label_png(), media_type="image/png")
