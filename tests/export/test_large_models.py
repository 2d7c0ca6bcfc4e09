"""Weights that are too large for an ONNX file lie beside it."""

from pathlib import Path

import pytest

from droneseg.bundle import Bundle
from droneseg.engines import installed_runtimes
from droneseg.errors import InvalidBundle
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export import onnx_model
from export.reference import Reference
from export.trained_model import TrainedModel
from export.writer import BundleWriter
from tests.parity.conftest import assert_parity


@pytest.fixture
def large(two_folds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A small model, as if it were larger than 2 GB."""
    monkeypatch.setattr(onnx_model, "MAX_EMBEDDED_BYTES", 1000)
    return BundleWriter([TrainedModel.load(two_folds)], "large", {}).write(tmp_path / "large")


def test_weights_lie_beside_the_model(large: Bundle, two_folds: Path) -> None:
    weights = large.path / "model.onnx.data"
    assert "model.onnx.data" in large.plan.files
    assert weights.stat().st_size > large.model_path().stat().st_size / 2
    reference = Reference(TrainedModel.load(two_folds))
    for runtime in installed_runtimes():
        photo = draw_scene(101, 87, seed=1)
        assert_parity(Predictor(large, engine=runtime), reference, photo)


def test_other_weights_are_refused(large: Bundle) -> None:
    path = large.path / "model.onnx.data"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidBundle, match=r"model\.onnx\.data is not the file"):
        Bundle.load(large.path)
