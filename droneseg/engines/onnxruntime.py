"""ONNX Runtime: the engine that runs everywhere, on the CPU or through its CUDA provider."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from droneseg.engines.instance_norm import expand_instance_norm

PROVIDERS = {"CUDAExecutionProvider": "cuda", "CPUExecutionProvider": "cpu"}
ERRORS_ONLY = 3
EXTERNAL_DATA_FOLDER = "session.model_external_initializers_file_folder_path"


class OnnxRuntimeEngine:
    """Runs model.onnx with the first provider that this installation has."""

    def __init__(self, model_path: Path, threads: int | None = None):
        """Load the network.

        Args:
            model_path: a model.onnx with one input and one output, both [N, ., H, W] float32.
            threads: for the CPU; all that this process may run on if None.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.log_severity_level = ERRORS_ONLY
        options.add_session_config_entry(EXTERNAL_DATA_FOLDER, str(model_path.parent))
        available = onnxruntime.get_available_providers()
        providers = [name for name in PROVIDERS if name in available]
        on_cpu = PROVIDERS[providers[0]] == "cpu"
        model = expand_instance_norm(model_path) if on_cpu else model_path
        self._session = onnxruntime.InferenceSession(model, options, providers=providers)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    @property
    def name(self) -> str:
        """`onnxruntime-cuda` or `onnxruntime-cpu`."""
        return f"onnxruntime-{PROVIDERS[self._session.get_providers()[0]]}"

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits of the tiles into `out`, without a copy on the CPU."""
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._input, tiles)
        binding.bind_output(
            self._output, "cpu", 0, np.float32, out.shape, out.__array_interface__["data"][0]
        )
        self._session.run_with_iobinding(binding)


def available_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
