"""model.onnx, as it is, in runtimes that know nothing of DroneSeg."""

import json

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest

from droneseg.bundle import Bundle


def test_onnxruntime(two_folds_bundle: Bundle) -> None:
    probes = two_folds_bundle.probes()
    session = onnxruntime.InferenceSession(two_folds_bundle.model_path())
    (logits,) = session.run(["logits"], {"tiles": probes.tiles.astype(np.float32)})
    _assert_close(logits, two_folds_bundle)


def test_openvino(two_folds_bundle: Bundle) -> None:
    probes = two_folds_bundle.probes()
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(two_folds_bundle.model_path(), "CPU", options)
    _assert_close(model([probes.tiles.astype(np.float32)])["logits"], two_folds_bundle)


def _assert_close(logits: np.typing.NDArray[np.float32], bundle: Bundle) -> None:
    probes = bundle.probes()
    sampled = logits[:, :, :: probes.stride, :: probes.stride]
    assert np.abs(sampled - probes.logits).max() <= 1e-4 * np.abs(probes.logits).max()


def test_tensorrt(default_bundle: Bundle) -> None:
    """It builds an engine without a GPU; tests/droneseg/test_tensorrt.py builds ours."""
    trt = pytest.importorskip("tensorrt_rtx", reason="there are wheels for Linux and Windows alone")
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    parsed = parser.parse_from_file(str(default_bundle.model_path()))
    assert parsed, [parser.get_error(index).desc() for index in range(parser.num_errors)]
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    tiles = network.get_input(0)
    assert tiles.name == "tiles"
    _, *shape = tiles.shape
    profile = builder.create_optimization_profile()
    profile.set_shape("tiles", (1, *shape), (4, *shape), (8, *shape))
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    assert engine.nbytes > default_bundle.model_path().stat().st_size / 4


def test_the_metadata_says_what_is_needed_around_the_network(two_folds_bundle: Bundle) -> None:
    model = onnx.load(two_folds_bundle.model_path())
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert metadata["patch_size"] == [64, 48]
    assert metadata["mirror_axes"] == [0, 1]
    assert metadata["tile_step_size"] == 0.5
    assert metadata["gaussian_sigma_scale"] == 0.125
    assert metadata["labels"][1] == {"id": 1, "name": "roof", "color": "#E69F00"}
    assert metadata["channels"][2] == {"name": "B", "normalization": "ZScoreNormalization"}
    assert metadata["source"]["folds"] == ["0", "2"]
