"""OpenVINO: on a CPU, in float32 or bfloat16."""

import itertools
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray

from droneseg import cache
from droneseg.bundle import sha256
from droneseg.errors import EngineNotInstalled
from droneseg.machine import available_cores, has_bfloat16, processor
from droneseg.mode import Mode, Precision

TYPES: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}
# Cores that work on one tile in bfloat16. With one each, two cores were up to 4 % faster on many
# tiles, but twice as slow on a photo of one tile.
CORES_A_STREAM = 2
TILES_A_STREAM = 4


class OpenVinoEngine:
    """Runs model.onnx on the CPU, a tile at a time in each of its streams."""

    name = "openvino-cpu"
    xp = np

    def __init__(
        self, model_path: Path, *, precision: Precision = "fp32", threads: int | None = None
    ):
        """Load and compile the network, or take what was compiled before; see EngineClass."""
        if precision not in TYPES:
            raise EngineNotInstalled(f"OpenVINO cannot compute in {precision} here")
        self.precision = precision
        threads = threads or available_cores()
        streams = max(1, threads // CORES_A_STREAM) if precision == "bf16" else 1
        options: dict[str, str | int] = {
            # It would take bfloat16 by itself where the processor has it.
            "INFERENCE_PRECISION_HINT": TYPES[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
        }
        network = _compiled(model_path, options)
        self._requests = [network.create_infer_request() for _ in range(streams)]
        _, _, height, width = network.input().shape
        self.batch_pixels = height * width * (1 if streams == 1 else streams * TILES_A_STREAM)

    @staticmethod
    def unusable() -> str | None:
        """It runs on every CPU that it is built for."""
        return None

    @staticmethod
    def precisions() -> Mapping[Mode, Precision]:
        """bfloat16 only where the processor multiplies it."""
        return {"exact": "fp32", "fast": "bf16" if has_bfloat16() else "fp32"}

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits of the tiles into `out`, without a copy; see Engine."""
        requests = itertools.cycle(self._requests)
        for index, request in zip(range(len(tiles)), requests, strict=False):
            request.wait()
            tile = slice(index, index + 1)
            request.set_input_tensor(openvino.Tensor(tiles[tile], shared_memory=True))
            request.set_output_tensor(openvino.Tensor(out[tile], shared_memory=True))
            request.start_async()
        for request in self._requests:
            request.wait()


def _compiled(model_path: Path, options: dict[str, str | int]) -> openvino.CompiledModel:
    """The network for one tile: of a fixed shape it is a fifth faster than with any batch."""
    core = openvino.Core()
    described = "-".join(str(value) for value in options.values())
    key = f"{sha256(model_path)}-{described}-{version('openvino')}-{processor()}"
    path = cache.cache_folder("openvino") / f"{key.replace(' ', '_').replace('/', '_')}.blob"
    blob = cache.load(path)
    if blob is not None:
        return core.import_model(bytes(blob), "CPU", options)
    model = core.read_model(model_path)
    model.reshape([1, *list(model.input().partial_shape)[1:]])
    if options["INFERENCE_PRECISION_HINT"] == TYPES["fp32"]:
        _write_out_norms(model)
    network = core.compile_model(model, "CPU", options)
    cache.store(path, network.export_model().getbuffer())
    return network


def _write_out_norms(model: openvino.Model) -> None:
    """Replace every MVN, which InstanceNormalization becomes, by simple operators.

    The kernel adds a whole plane in one float32 sum, whose rounding errors pile up on tiles that
    are mostly padding: 1.3e-4 of the largest logit, against 3e-6 with means of means.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MVN":
            normalized = _normalize(node.input_value(0), node.get_attributes()["eps"])
            for target in node.output(0).get_target_inputs():
                target.replace_source_output(normalized.output(0))


def _normalize(values: openvino.Output, epsilon: float) -> openvino.Node:
    """(x - mean) / sqrt(variance + epsilon) over the plane of each channel, [N, C, H, W]."""
    centered = ops.subtract(values, _mean(values))
    variance = _mean(ops.multiply(centered, centered))
    return ops.divide(centered, ops.sqrt(ops.add(variance, np.float32(epsilon))))


def _mean(values: openvino.Output | openvino.Node) -> openvino.Node:
    """The mean over columns and then over rows.

    OpenVINO would make one sum of the two; doubling, which is exact, keeps them apart.
    """
    of_columns = ops.multiply(ops.reduce_mean(values, [3], keep_dims=True), np.float32(2))
    return ops.multiply(ops.reduce_mean(of_columns, [2], keep_dims=True), np.float32(0.5))
