from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from droneseg import engines
from droneseg.bundle import Bundle
from droneseg.engines import (
    Engine,
    installed_runtimes,
    open_engine,
)
from droneseg.engines.onnxruntime import OnnxRuntimeEngine
from droneseg.engines.openvino import OpenVinoEngine
from droneseg.engines.probes import LOGIT_TOLERANCES, check_probes
from droneseg.errors import EngineFailed, EngineMismatch, EngineNotInstalled
from droneseg.mode import Mode, Precision


class DistortedEngine:
    """Adds a small error to every logit."""

    name = "distorted"
    precision: Precision = "fp32"
    batch_pixels = 1
    xp = np

    def __init__(self, bundle: Bundle, error: float):
        self._engine = OnnxRuntimeEngine(bundle.model_path())
        self._error = error

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self._engine.run(tiles, out)
        out += np.float32(self._error)


RUNTIMES = installed_runtimes()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_engine_reproduces_the_probes(two_folds_bundle: Bundle, runtime: str) -> None:
    engine = open_engine(two_folds_bundle, runtime=runtime, precision="fp32")
    assert engine.name.startswith(runtime)
    assert check_probes(engine, two_folds_bundle.probes()) < LOGIT_TOLERANCES["fp32"] / 10


@pytest.mark.parametrize("error", [0.1, float("nan")])
def test_an_engine_that_does_not_is_refused(two_folds_bundle: Bundle, error: float) -> None:
    with pytest.raises(EngineMismatch, match="distorted does not reproduce"):
        check_probes(DistortedEngine(two_folds_bundle, error), two_folds_bundle.probes())


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("count", [1, 3])
def test_any_batch_gives_the_same_logits(
    two_folds_bundle: Bundle, count: int, runtime: str
) -> None:
    engine = open_engine(two_folds_bundle, runtime=runtime)
    tile = two_folds_bundle.probes().tiles[:1].astype(np.float32)
    alone = np.empty((1, 4, 64, 48), np.float32)
    engine.run(tile, alone)
    together = np.empty((count, 4, 64, 48), np.float32)
    engine.run(np.repeat(tile, count, axis=0), together)
    np.testing.assert_allclose(together, np.repeat(alone, count, axis=0), rtol=0, atol=1e-5)


def test_a_runtime_that_is_not_there_is_named(two_folds_bundle: Bundle) -> None:
    with pytest.raises(EngineNotInstalled, match="the runtime tflite cannot be used"):
        open_engine(two_folds_bundle, runtime="tflite")


NORM_SHAPE = (1, 2, 384, 384)


@pytest.fixture(scope="module")
def norm_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is one InstanceNormalization."""
    shape: list[str | int | None] = ["batch", *NORM_SHAPE[1:]]
    node = helper.make_node("InstanceNormalization", ["x", "s", "b"], ["y"], epsilon=1e-5)
    graph = helper.make_graph(
        [node],
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [
            onnx.numpy_helper.from_array(np.array(values, np.float32), name)
            for name, values in (("s", [1, 2]), ("b", [0, 1]))
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    path: Path = tmp_path_factory.mktemp("norm") / "norm.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("engine_class", [OnnxRuntimeEngine, OpenVinoEngine])
def test_norms_are_accurate_on_tiles_of_padding(
    norm_model: Path, engine_class: Callable[[Path], Engine]
) -> None:
    """Why engines write the norms out: both runtimes' own kernels are off by 4e-4 here."""
    rng = np.random.default_rng(0)
    x = np.full(NORM_SHAPE, 0.7123, np.float32)
    x[:, :, :150] = rng.normal(0.7, 0.5, (1, 2, 150, 384))
    exact = x.astype(np.float64)
    exact -= exact.mean(axis=(2, 3), keepdims=True)
    exact /= np.sqrt(exact.var(axis=(2, 3), keepdims=True) + 1e-5)
    exact = exact * np.array([1, 2]).reshape(2, 1, 1) + np.array([0, 1]).reshape(2, 1, 1)
    y = np.empty(NORM_SHAPE, np.float32)
    engine_class(norm_model).run(x, y)
    assert np.abs(y - exact).max() < 2e-5


class FailingEngine:
    """A runtime whose device is there, but out of order."""

    def __init__(self, *_: object, **__: object):
        raise MemoryError("no room on the device")

    @staticmethod
    def unusable() -> str | None:
        return None

    @staticmethod
    def precisions() -> Mapping[Mode, Precision]:
        return {"exact": "fp32", "fast": "fp32"}


def test_a_runtime_that_fails_is_logged_and_the_next_one_taken(
    two_folds_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = engines.Runtime(("numpy",), f"{__name__}:FailingEngine", "gpu")
    monkeypatch.setattr(engines, "RUNTIMES", {"failing": failing, **engines.RUNTIMES})
    assert open_engine(two_folds_bundle).name != "failing"
    assert "failing failed: MemoryError: no room on the device" in caplog.text
    monkeypatch.setattr(engines, "RUNTIMES", {"failing": failing})
    with pytest.raises(EngineFailed, match="no room on the device"):
        open_engine(two_folds_bundle)


@pytest.mark.skipif("winograd" not in RUNTIMES, reason="it is for Linux on x86-64")
@pytest.mark.parametrize(("amx", "expected"), [(False, "winograd-cpu"), (True, "openvino-cpu")])
def test_fast_takes_bfloat16_where_a_processor_multiplies_matrices_of_it(
    two_folds_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, *, amx: bool, expected: str
) -> None:
    monkeypatch.setattr(engines, "has_amx", lambda: amx)
    assert open_engine(two_folds_bundle, mode="fast").name == expected
    assert open_engine(two_folds_bundle, mode="exact").name == "winograd-cpu"
