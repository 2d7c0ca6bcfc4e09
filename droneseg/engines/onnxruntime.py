"""ONNX Runtime: the engine that runs everywhere, on the CPU or through its CUDA provider."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from droneseg.engines.instance_norm import expand_instance_norm
from droneseg.machine import available_cores

CPU = "CPUExecutionProvider"
# TF32, the default, has 10 bits of mantissa: too few for `exact`.
CUDA = ("CUDAExecutionProvider", {"use_tf32": "0"})
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
        self._options = options
        self._session = self._open(model_path)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def _open(self, model_path: Path) -> onnxruntime.InferenceSession:
        """A session on the GPU, or else on the CPU with accurate norms.

        ONNX Runtime lists the providers that it was built with, whether there is a device or not,
        and falls back to the CPU by itself.
        """
        if CUDA[0] in onnxruntime.get_available_providers():
            session = onnxruntime.InferenceSession(model_path, self._options, providers=[CUDA, CPU])
            if session.get_providers()[0] == CUDA[0]:
                return session
        model = expand_instance_norm(model_path)
        # Where weights outside of the file lie, which a model in memory does not say.
        self._options.add_session_config_entry(EXTERNAL_DATA_FOLDER, str(model_path.parent))
        return onnxruntime.InferenceSession(model, self._options, providers=[CPU])

    @property
    def name(self) -> str:
        """`onnxruntime-cuda` or `onnxruntime-cpu`."""
        return "onnxruntime-cuda" if self._on_gpu else "onnxruntime-cpu"

    @property
    def precision(self) -> str:
        """`float32`."""
        return "float32"

    @property
    def batch_pixels(self) -> int:
        """One tile of 384 x 384 on a CPU, where two or four at a time took 8 % longer.

        On a GPU, where this has not been measured, eight.
        """
        return (8 if self._on_gpu else 1) * 384 * 384

    @property
    def _on_gpu(self) -> bool:
        return bool(self._session.get_providers()[0] == CUDA[0])

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits of the tiles into `out`, without a copy on the CPU."""
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._input, tiles)
        binding.bind_output(
            self._output, "cpu", 0, np.float32, out.shape, out.__array_interface__["data"][0]
        )
        self._session.run_with_iobinding(binding)
