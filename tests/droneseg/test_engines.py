from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.engines import LOGIT_TOLERANCE, check_probes, open_engine
from droneseg.engines.instance_norm import expand_instance_norm
from droneseg.engines.onnxruntime import OnnxRuntimeEngine
from droneseg.errors import EngineMismatch


class DistortedEngine:
    """Adds a small error to every logit."""

    name = "distorted"
    precision = "float32"
    batch_pixels = 1

    def __init__(self, bundle: Bundle, error: float):
        self._engine = OnnxRuntimeEngine(bundle.model_path())
        self._error = error

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self._engine.run(tiles, out)
        out += np.float32(self._error)


def test_the_engine_reproduces_the_probes(two_folds_bundle: Bundle) -> None:
    engine = open_engine(two_folds_bundle)
    assert engine.name in {"onnxruntime-cpu", "onnxruntime-cuda"}
    assert check_probes(engine, two_folds_bundle.probes()) < LOGIT_TOLERANCE / 10


@pytest.mark.parametrize("error", [0.1, float("nan")])
def test_an_engine_that_does_not_is_refused(two_folds_bundle: Bundle, error: float) -> None:
    with pytest.raises(EngineMismatch, match="distorted does not reproduce"):
        check_probes(DistortedEngine(two_folds_bundle, error), two_folds_bundle.probes())


@pytest.mark.parametrize("count", [1, 3])
def test_any_batch_gives_the_same_logits(two_folds_bundle: Bundle, count: int) -> None:
    engine = OnnxRuntimeEngine(two_folds_bundle.model_path())
    tile = two_folds_bundle.probes().tiles[:1].astype(np.float32)
    alone = np.empty((1, 4, 64, 48), np.float32)
    engine.run(tile, alone)
    together = np.empty((count, 4, 64, 48), np.float32)
    engine.run(np.repeat(tile, count, axis=0), together)
    np.testing.assert_array_equal(together, np.repeat(alone, count, axis=0))


def test_expanded_norms_are_a_hundred_times_more_accurate_on_padding(tmp_path: Path) -> None:
    """The reason for expand_instance_norm, measured on a norm over mostly one value."""
    values, info = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    shape = [1, 2, 384, 384]
    node = onnx.helper.make_node("InstanceNormalization", ["x", "s", "b"], ["y"], epsilon=1e-5)
    constants = [
        onnx.numpy_helper.from_array(np.array(v, np.float32), n)
        for n, v in (("s", [1, 2]), ("b", [0, 1]))
    ]
    graph = onnx.helper.make_graph(
        [node], "norm", [values("x", info, shape)], [values("y", info, shape)], constants
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
    model.ir_version = 10
    path = tmp_path / "norm.onnx"
    onnx.save(model, path)
    rng = np.random.default_rng(0)
    x = np.full(shape, 0.7123, np.float32)
    x[:, :, :150] = rng.normal(0.7, 0.5, (1, 2, 150, 384))
    exact = x.astype(np.float64)
    exact -= exact.mean(axis=(2, 3), keepdims=True)
    exact /= np.sqrt(exact.var(axis=(2, 3), keepdims=True) + 1e-5)
    exact = exact * np.array([1, 2]).reshape(2, 1, 1) + np.array([0, 1]).reshape(2, 1, 1)

    def error(content: bytes) -> float:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        return float(np.abs(session.run(None, {"x": x})[0] - exact).max())

    assert error(expand_instance_norm(path)) < error(path.read_bytes()) / 100
    assert error(expand_instance_norm(path)) < 2e-5
