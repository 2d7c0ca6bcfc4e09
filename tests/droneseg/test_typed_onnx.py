from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from droneseg.bundle import Bundle
from droneseg.engines import typed_onnx as module
from droneseg.engines.probes import check_probes
from droneseg.engines.typed_onnx import typed_onnx
from droneseg.errors import EngineNotInstalled
from droneseg.mode import Precision
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from tests.droneseg.typed_engine import TypedEngine

Float32Array = NDArray[np.float32]


def save(
    path: Path,
    nodes: list[NodeProto],
    weights: Mapping[str, Float32Array],
    channels: tuple[int, int] = (1, 1),
) -> Path:
    """A model from `tiles` to `logits` of any size."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", count, "h", "w"])
        for name, count in zip(("tiles", "logits"), channels, strict=True)
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        values[:1],
        values[1:],
        [numpy_helper.from_array(np.asarray(array, np.float32), n) for n, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 10
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def run(model: bytes, tiles: Float32Array) -> Float32Array:
    """What ONNX says that the model means, type by type."""
    (logits,) = ReferenceEvaluator(ModelProto.FromString(model)).run(None, {"tiles": tiles})
    assert isinstance(logits, np.ndarray)
    return logits


def types(content: bytes) -> dict[str, int]:
    """The element type of every tensor, by ONNX's own inference."""
    onnx.checker.check_model(content, full_check=True)
    graph = onnx.shape_inference.infer_shapes(
        ModelProto.FromString(content), check_type=True, strict_mode=True
    ).graph
    found = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        found[value.name] = value.type.tensor_type.elem_type
    return found


def test_convolutions_are_float16_and_norms_float32(default_bundle: Bundle) -> None:
    content = typed_onnx(default_bundle.model_path(), "fp16")
    found = types(content)
    graph = ModelProto.FromString(content).graph
    taken = {
        operator: {found[name] for n in graph.node if n.op_type == operator for name in n.input}
        for operator in {node.op_type for node in graph.node}
    }
    assert taken["Conv"] == taken["ConvTranspose"] == taken["LeakyRelu"] == {TensorProto.FLOAT16}
    assert taken["InstanceNormalization"] == {TensorProto.FLOAT}
    assert found["tiles"] == found["logits"] == TensorProto.FLOAT
    # Each weight once.
    assert len(content) < 0.6 * default_bundle.model_path().stat().st_size


def test_labels_of_the_default_model_hold_in_float16(
    default_bundle: Bundle, default_predictor: Predictor
) -> None:
    typed = TypedEngine(default_bundle.model_path())
    assert 1e-5 < check_probes(typed, default_bundle.probes()) < 2e-3
    scene = [draw_scene(450, 600, seed=5)]
    (expected,) = default_predictor.segment(scene)
    (ours,) = Predictor(default_bundle, engine=[typed]).segment(scene)
    assert (ours.labels == expected.labels).mean() > 0.999


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_mean_of_folds(two_folds_bundle: Bundle, precision: Precision) -> None:
    types(typed_onnx(two_folds_bundle.model_path(), precision))
    check_probes(TypedEngine(two_folds_bundle.model_path(), precision), two_folds_bundle.probes())


NORMED = [
    helper.make_node("Conv", ["tiles", "weight", "bias"], ["features"]),
    helper.make_node("InstanceNormalization", ["features", "scale", "shift"], ["normed"]),
    helper.make_node("LeakyRelu", ["normed"], ["active"], alpha=0.01),
    helper.make_node("Conv", ["active", "head", "bias"], ["logits"]),
]


def feature_error(path: Path) -> float:
    """Of the logits behind features of +-512, over the largest."""
    model = save(
        path,
        NORMED,
        {
            "weight": np.full((1, 1, 1, 1), 512, np.float32),
            "bias": np.zeros(1, np.float32),
            "scale": np.ones(1, np.float32),
            "shift": np.zeros(1, np.float32),
            "head": np.full((1, 1, 1, 1), 3, np.float32),
        },
    )
    tiles = np.where(np.indices((16, 16)).sum(0) % 2, 1, -1).astype(np.float32)[None, None]
    expected = run(model.read_bytes(), tiles)
    with np.errstate(all="ignore"):
        logits = run(typed_onnx(model, "fp16"), tiles)
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


def test_features_of_512_are_normalised(tmp_path: Path) -> None:
    """In float16 their variance, 262,144, is beyond its 65,504: masks go black."""
    assert feature_error(tmp_path / "model.onnx") < 2e-3


def test_which_float16_norms_would_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operators = {*module.FLOAT16_OPERATORS, "InstanceNormalization"}
    monkeypatch.setattr(module, "FLOAT16_OPERATORS", operators)
    assert not feature_error(tmp_path / "model.onnx") < 0.5


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_weights_that_share_one_by_identity_are_named_themselves(
    tmp_path: Path, precision: Precision
) -> None:
    """TensorRT would take a convolution's weights for computed ones."""
    path = save(
        tmp_path / "model.onnx",
        [
            helper.make_node("Identity", ["weight"], ["shared"]),
            helper.make_node("Identity", ["shared"], ["again"]),
            helper.make_node("Conv", ["tiles", "weight"], ["first"]),
            helper.make_node("Conv", ["first", "again"], ["second"]),
            helper.make_node("Identity", ["second"], ["logits"]),
        ],
        {"weight": np.full((1, 1, 1, 1), 1.5, np.float32)},
    )
    content = typed_onnx(path, precision)
    graph = ModelProto.FromString(content).graph
    assert types(content)["logits"] == TensorProto.FLOAT
    assert [node.op_type for node in graph.node if node.op_type != "Cast"] == [
        "Conv",
        "Conv",
        "Identity",
    ]
    assert len(graph.initializer) == 1
    np.testing.assert_array_equal(run(content, np.ones((1, 1, 2, 2), np.float32)), 2.25)


def test_other_operators_stay_float32(tmp_path: Path) -> None:
    path = save(
        tmp_path / "model.onnx",
        [
            helper.make_node("Conv", ["tiles", "weight"], ["features"]),
            helper.make_node("Exp", ["features"], ["large"]),
            helper.make_node("Log", ["large"], ["logits"]),
        ],
        {"weight": np.full((1, 1, 1, 1), 20, np.float32)},
    )
    content = typed_onnx(path, "fp16")
    types(content)
    # exp(20) is far beyond float16.
    np.testing.assert_allclose(run(content, np.ones((1, 1, 2, 2), np.float32)), 20, rtol=1e-3)


def test_weights_beyond_float16_are_refused(tmp_path: Path) -> None:
    path = save(
        tmp_path / "model.onnx",
        [helper.make_node("Conv", ["tiles", "weight"], ["logits"])],
        {"weight": np.full((1, 1, 1, 1), 70000, np.float32)},
    )
    with pytest.raises(EngineNotInstalled, match="the weights weight are beyond 65504"):
        typed_onnx(path, "fp16")
    assert run(typed_onnx(path, "fp32"), np.ones((1, 1, 1, 1), np.float32)) == 70000


def test_weights_in_a_file_of_their_own(two_folds_bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    model = onnx.load(two_folds_bundle.model_path())
    onnx.save(model, path, save_as_external_data=True, location="model.data", size_threshold=0)
    assert len(typed_onnx(path, "fp32")) < path.stat().st_size + 1000
    embedded = typed_onnx(path, "fp16")
    path.with_name("model.data").unlink()
    assert types(embedded) == types(typed_onnx(two_folds_bundle.model_path(), "fp16"))


def test_other_precisions_are_refused(default_bundle: Bundle) -> None:
    with pytest.raises(EngineNotInstalled, match="in fp16 or fp32, not in bf16"):
        typed_onnx(default_bundle.model_path(), "bf16")
