"""Ensembles: what they share, and what they are refused for."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.random_model import TrainedFolder
from droneseg.bundle import Bundle
from export.__main__ import main
from export.errors import UnsupportedModel
from export.trained_model import TrainedModel
from export.writer import BundleWriter
from tests.conftest import ONE_AXIS


def test_two_folders_make_one_bundle(one_axis: Path, tmp_path: Path) -> None:
    other = replace(ONE_AXIS, patch_size=(48, 64), mirror_axes=None, seed=9)
    folders = [str(one_axis), str(other.write(tmp_path / "other"))]
    output = tmp_path / "both"
    assert main([*folders, "--output", str(output)]) == 0
    plan = Bundle.load(output).plan
    assert [member.model for member in plan.members] == ["model_0.onnx", "model_1.onnx"]
    assert [member.patch_size for member in plan.members] == [(64, 48), (48, 64)]
    assert [member.mirror_axes for member in plan.members] == [(0,), ()]
    assert "probabilities of these models are averaged" in (output / "README.md").read_text()
    against = [argument for folder in folders for argument in ("--against", folder)]
    verified = str(tmp_path / "verified")
    assert main(["verify", str(output), *against, "--output", verified]) == 0


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(ONE_AXIS, classes=("background", "roof", "tree", "road")), "different labels"),
        (replace(ONE_AXIS, ignore=True), "different labels"),
        (replace(ONE_AXIS, channel_names=("grey",)), "different numbers of channels, 3 in"),
    ],
)
def test_models_that_share_too_little_are_refused(
    one_axis: Path, tmp_path: Path, other: TrainedFolder, message: str
) -> None:
    folders = [one_axis, other.write(tmp_path / "other")]
    writer = BundleWriter([TrainedModel.load(folder) for folder in folders], "both", {})
    with pytest.raises(UnsupportedModel, match=message):
        writer.write(tmp_path / "models" / "both")
    assert not (tmp_path / "models").exists()
