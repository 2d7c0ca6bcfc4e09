"""The model that GPUs are given, run on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from droneseg.engines.typed_onnx import typed_onnx
from droneseg.mode import Precision


class TypedEngine:
    """ONNX Runtime on what TensorRT parses: it computes in float32 and rounds where the types say.

    What the types themselves do, sums that overflow float16 among them, ONNX's reference shows.
    """

    name = "typed"
    xp = np
    batch_pixels = 384 * 384

    def __init__(self, model_path: Path, precision: Precision = "fp16"):
        self.precision = precision
        options = onnxruntime.SessionOptions()
        # It would leave out casts to float16 and back.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            typed_onnx(model_path, precision), options, providers=["CPUExecutionProvider"]
        )

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        (logits,) = self._session.run(None, {"tiles": tiles})
        assert logits.dtype == np.float32
        out[...] = logits
