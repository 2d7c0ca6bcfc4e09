"""OpenVINO: float32 on the CPU."""

import tempfile
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from droneseg.engines.instance_norm import expand_instance_norm
from droneseg.machine import available_cores


class OpenVinoEngine:
    """Runs model.onnx on the CPU."""

    def __init__(self, model_path: Path, threads: int | None = None):
        """Load and compile the network.

        Args:
            model_path: a model.onnx with one input and one output, both [N, ., H, W] float32.
            threads: all cores that this process may run on if None.
        """
        options: dict[str, str | int] = {
            # It would take bfloat16 where the processor has it.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads or available_cores(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = _compile(model_path, options).create_infer_request()

    @property
    def name(self) -> str:
        """`openvino-cpu`."""
        return "openvino-cpu"

    @property
    def precision(self) -> str:
        """`float32`."""
        return "float32"

    @property
    def batch_pixels(self) -> int:
        """One tile of 384 x 384."""
        return 384 * 384

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits of the tiles into `out`, without a copy."""
        self._request.set_input_tensor(openvino.Tensor(tiles, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(out, shared_memory=True))
        self._request.infer()


def _compile(model_path: Path, options: dict[str, str | int]) -> openvino.CompiledModel:
    """Compile the network with accurate norms: its own are off by 1.3e-4 on padded tiles.

    Weights outside of the model's file are found beside it alone, hence the folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        expanded = Path(folder) / model_path.name
        expanded.write_bytes(expand_instance_norm(model_path))
        for data in model_path.parent.glob(f"{model_path.name}.*"):
            (Path(folder) / data.name).symlink_to(data.resolve())
        return openvino.Core().compile_model(expanded, "CPU", options)
