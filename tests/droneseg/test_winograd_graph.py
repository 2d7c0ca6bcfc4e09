"""Networks that the winograd engine does not compute are refused."""

import platform
from pathlib import Path

import onnx
import pytest
from onnx import helper

from droneseg.bundle import Bundle
from droneseg.engines.winograd.engine import WinogradEngine
from droneseg.errors import UnsupportedNetwork

pytestmark = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="the winograd engine is for Linux on x86-64",
)


def test_a_network_that_it_does_not_know_goes_to_the_next_engine(
    two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    model = onnx.load(two_folds_bundle.model_path())
    activation = next(node for node in model.graph.node if node.op_type == "LeakyRelu")
    activation.op_type = "Elu"
    changed = tmp_path / "model.onnx"
    onnx.save(model, changed)
    with pytest.raises(UnsupportedNetwork, match="does not compute the Elu"):
        WinogradEngine(changed)


@pytest.mark.parametrize(
    ("operator", "attribute"),
    [
        ("Conv", helper.make_attribute("dilations", [2, 2])),
        ("LeakyRelu", helper.make_attribute("alpha", 1.5)),
        ("ConvTranspose", helper.make_attribute("output_padding", [1, 1])),
        ("Concat", helper.make_attribute("axis", 2)),
        ("Conv", helper.make_attribute("auto_pad", "SAME_UPPER")),
        ("Conv", helper.make_attribute("pads", [3, 3, 3, 3])),
        ("InstanceNormalization", helper.make_attribute("epsilon", 0.0)),
    ],
)
def test_what_looks_known_is_refused_too(
    two_folds_bundle: Bundle, tmp_path: Path, operator: str, attribute: onnx.AttributeProto
) -> None:
    model = onnx.load(two_folds_bundle.model_path())
    node = next(node for node in model.graph.node if node.op_type == operator)
    kept = [other for other in node.attribute if other.name != attribute.name]
    del node.attribute[:]
    node.attribute.extend([*kept, attribute])
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UnsupportedNetwork, match=f"does not compute the {operator}"):
        WinogradEngine(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("operator", "terms"),
    [("Concat", ["conv2d", "tiles"]), ("Add", ["conv2d", "conv2d_8"]), ("LeakyRelu", ["conv2d"])],
)
def test_logits_that_are_no_mean_of_convolutions_are_refused(
    two_folds_bundle: Bundle, tmp_path: Path, operator: str, terms: list[str]
) -> None:
    model = onnx.load(two_folds_bundle.model_path())
    model.graph.node.append(helper.make_node(operator, terms, ["other"], name="other"))
    model.graph.output[0].name = "other"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UnsupportedNetwork, match="the runtime winograd cannot be used"):
        WinogradEngine(tmp_path / "model.onnx")
