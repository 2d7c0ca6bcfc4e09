"""ONNX Runtime: the engines that run everywhere, on the CPU or through its CUDA provider."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from droneseg.engines.gpu import SideStream, no_gpu
from droneseg.engines.instance_norm import expand_instance_norm
from droneseg.engines.typed_onnx import typed_onnx
from droneseg.errors import EngineFailed, EngineNotInstalled
from droneseg.machine import available_cores
from droneseg.mode import Mode, Precision

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
ERRORS_ONLY = 3
EXTERNAL_DATA_FOLDER = "session.model_external_initializers_file_folder_path"


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    return options


class OnnxRuntimeEngine:
    """Runs model.onnx on the CPU, with accurate norms."""

    name = "onnxruntime-cpu"
    precision: Precision = "fp32"
    xp = np
    # One tile of 384 x 384: two or four at a time took 8 % longer.
    batch_pixels = 384 * 384

    def __init__(
        self, model_path: Path, *, precision: Precision = "fp32", threads: int | None = None
    ):
        """Load the network; see EngineClass."""
        if precision != "fp32":
            raise EngineNotInstalled(
                f"ONNX Runtime on a CPU cannot compute in {precision}, but in fp32"
            )
        options = _options()
        options.intra_op_num_threads = threads or available_cores()
        # Where weights outside of the file lie, which a model in memory does not say.
        options.add_session_config_entry(EXTERNAL_DATA_FOLDER, str(model_path.parent))
        self._session = onnxruntime.InferenceSession(
            expand_instance_norm(model_path), options, providers=[CPU]
        )
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    @staticmethod
    def unusable() -> str | None:
        """It runs everywhere."""
        return None

    @staticmethod
    def precisions() -> Mapping[Mode, Precision]:
        """Its kernels for anything else are slower."""
        return {"exact": "fp32", "fast": "fp32"}

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits of the tiles into `out`, without a copy; see Engine."""
        at_once = max(1, self.batch_pixels // (tiles.shape[2] * tiles.shape[3]))
        for first in range(0, len(tiles), at_once):
            part = slice(first, first + at_once)
            binding = self._session.io_binding()
            binding.bind_cpu_input(self._input, tiles[part])
            binding.bind_output(
                self._output, "cpu", 0, np.float32, out[part].shape, out[part].ctypes.data
            )
            self._session.run_with_iobinding(binding)


class OnnxRuntimeCudaEngine:
    """Runs model.onnx on the first NVIDIA GPU, on arrays that lie there.

    What an engine runs is sent to the GPU and not waited for. Not with CUDA graphs: ONNX Runtime
    ties each to buffers of its own, and where they matter TensorRT comes first.
    """

    name = "onnxruntime-cuda"
    # Not measured.
    batch_pixels = 8 * 384 * 384

    def __init__(
        self, model_path: Path, *, precision: Precision = "fp16", threads: int | None = None
    ):
        """Load the network; see EngineClass."""
        del threads
        self.precision = precision
        # CUDA and cuDNN out of NVIDIA's wheels, where no loader looks for them.
        onnxruntime.preload_dlls(directory="")
        self._side = SideStream()
        provider = (
            CUDA,
            {
                # TF32, the default, has 10 bits of mantissa: too few.
                "use_tf32": "0",
                "user_compute_stream": str(self._side.stream.ptr),
            },
        )
        options = _options()
        options.add_session_config_entry(EXTERNAL_DATA_FOLDER, str(model_path.parent))
        self._session = onnxruntime.InferenceSession(
            typed_onnx(model_path, precision), options, providers=[provider]
        )
        if CUDA not in self._session.get_providers():
            raise EngineFailed("ONNX Runtime cannot load its CUDA provider; its own log says why")
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        self._run_options = onnxruntime.RunOptions()
        self._run_options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    @staticmethod
    def unusable() -> str | None:
        """ONNX Runtime says what it was built with, CuPy whether there is a device."""
        if CUDA not in onnxruntime.get_available_providers():
            return "this ONNX Runtime is not onnxruntime-gpu"
        return no_gpu()

    @staticmethod
    def precisions() -> Mapping[Mode, Precision]:
        """What nnU-Net itself computes in on a GPU."""
        return {"exact": "fp16", "fast": "fp16"}

    @property
    def xp(self) -> ModuleType:
        """CuPy."""
        import cupy

        module: ModuleType = cupy
        return module

    def run(self, tiles: Any, out: Any) -> None:
        """Write the logits of the tiles into `out`, both on the GPU; see Engine."""
        binding = self._session.io_binding()
        for bind, name, array in (
            (binding.bind_input, self._input, tiles),
            (binding.bind_output, self._output, out),
        ):
            bind(name, "cuda", 0, np.float32, array.shape, array.data.ptr)
        with self._side.in_order():
            self._session.run_with_iobinding(binding, self._run_options)
