import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

import droneseg.image_run
from droneseg.bundle import Bundle
from droneseg.errors import UnsupportedNetwork
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export.__main__ import main
from export.trained_model import TrainedModel
from export.writer import BundleWriter


def test_the_command_exports_and_reports(
    one_axis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "mine.png"
    Image.fromarray(draw_scene(80, 70, seed=1)).save(photo)
    notes = tmp_path / "notes.md"
    notes.write_text("Trained on Mars.")
    output = tmp_path / "models" / "mars"
    command = [str(one_axis), "--output", str(output), "--folds", "0"]
    options = ["--colors", "roof=#FF0000", "--images", str(photo), "--notes", str(notes)]
    assert main([*command, *options]) == 0
    printed = capsys.readouterr()
    assert "mine.png (80x70): 100.0000% of the labels equal" in printed.out
    assert "proving against nnU-Net" in printed.err

    bundle = Bundle.load(output)
    assert bundle.plan.name == "mars"
    for verification in bundle.plan.verifications:
        assert verification.passed
        assert [check.image for check in verification.checks][-1] == "mine.png"
    card = (output / "README.md").read_text()
    assert "Trained on Mars." in card
    assert "| 1 | roof | #FF0000 |" in card
    assert {path.name for path in output.iterdir()} == {"plan.json", *bundle.plan.files}
    assert [path.name for path in output.parent.iterdir()] == ["mars"]

    assert main([*command, *options]) == 1
    assert "a bundle never changes" in capsys.readouterr().err


def test_a_miss_writes_nothing_and_says_where(
    one_axis: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def flat(patch_size: tuple[int, int], sigma_scale: float) -> NDArray[np.float32]:
        return np.ones(patch_size, np.float32)

    monkeypatch.setattr(droneseg.image_run, "gaussian_weights", flat)
    output = tmp_path / "models" / "wrong"
    assert main([str(one_axis), "--output", str(output)]) == 1
    printed = capsys.readouterr().err
    assert "proof_failed" in printed
    assert "'many windows, odd size'" in printed
    assert "in rows" in printed
    assert "nnU-Net says" in printed
    assert list(output.parent.iterdir()) == []


def test_model_onnx_holds_what_others_need_and_nothing_of_this_machine(
    two_folds_bundle: Bundle,
) -> None:
    model = onnx.load(two_folds_bundle.model_path())
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert metadata["patch_size"] == [64, 48]
    assert metadata["labels"][1]["name"] == "roof"
    assert metadata["source"]["folds"] == ["0", "2"]
    content = two_folds_bundle.model_path().read_bytes()
    for trace in (str(Path.home()), str(Path(__file__).parent.parent.parent), "site-packages"):
        assert trace.encode() not in content


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--colors", "roof"], "CLASS=#RRGGBB"),
        (["--images", "nowhere.png"], "nowhere.png"),
        (["--folds", "7"], "fold_7"),
    ],
)
def test_bad_arguments_are_named(
    one_axis: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    assert main([str(one_axis), "--output", str(tmp_path / "x"), *arguments]) == 1
    assert named in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_an_engine_that_does_not_compute_the_network_is_left_out(
    two_folds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise UnsupportedNetwork(f"no {path}")

    monkeypatch.setattr("droneseg.engines.winograd.engine.Graph", refuse)
    output = tmp_path / "other"
    bundle = BundleWriter([TrainedModel.load(two_folds)], "other", {}).write(output)
    engines = [verification.engine for verification in bundle.plan.verifications]
    assert engines == ["openvino-cpu", "onnxruntime-cpu"]
    assert Predictor(bundle).engines[0].name == "openvino-cpu"
    certificate = ["--output", str(tmp_path / "certificate")]
    assert main(["verify", str(output), "--against", str(two_folds), *certificate]) == 0
