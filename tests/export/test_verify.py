"""python -m export verify."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.engines import installed_runtimes
from droneseg.scene import draw_scene
from export.__main__ import main
from tests.conftest import TWO_FOLDS


def verify(bundle: Bundle, against: Path, output: Path, *images: Path) -> int:
    photos = [str(image) for image in images]
    options = ["--output", str(output), "--against", str(against)]
    return main(["verify", str(bundle.path), *options, *photos])


def test_a_bundle_is_certified_on_the_users_photos(
    two_folds_bundle: Bundle,
    two_folds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo, array = tmp_path / "mine|1.png", tmp_path / "deep.npy"
    Image.fromarray(draw_scene(150, 170, seed=1)).save(photo)
    np.save(array, draw_scene(90, 70, seed=2).astype(np.uint16) * 250)
    output = tmp_path / "certificate"
    assert verify(two_folds_bundle, two_folds, output, photo, array) == 0
    assert "mine|1.png (150x170): 100.0000% of the labels equal" in capsys.readouterr().out

    report = json.loads((output / "certificate.json").read_text())
    assert report["passed"]
    assert report["files"]["model.onnx"] == two_folds_bundle.plan.files["model.onnx"]
    engines = [verification["engine"] for verification in report["verifications"]]
    assert [engine.split("-")[0] for engine in engines] == installed_runtimes()
    for verification in report["verifications"]:
        assert [check["image"] for check in verification["checks"]] == [photo.name, array.name]
        for check in verification["checks"]:
            assert check["dice"].keys() <= {"background", "roof", "road", "tree"}
            assert min(check["dice"].values()) > 0.999
    page = (output / "certificate.md").read_text()
    assert "**Passed**" in page
    assert r"| mine\|1.png | 150 x 170 | 100.0000% | 0 |" in page
    html = (output / "certificate.html").read_text()
    assert "<td>mine|1.png</td>" in html
    assert "src=" not in html.replace('src="data:image/png;base64,', "")


def test_another_model_fails_and_the_certificate_says_where(
    two_folds_bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = replace(TWO_FOLDS, seed=50).write(tmp_path / "other")
    output = tmp_path / "certificate"
    assert verify(two_folds_bundle, other, output) == 1
    assert "missed: onnxruntime-cpu, 'smaller than the patch'" in capsys.readouterr().out
    report = json.loads((output / "certificate.json").read_text())
    assert not report["passed"]
    assert not any(verification["passed"] for verification in report["verifications"])
    assert len(report["failures"]) == len(installed_runtimes())
    assert "**FAILED**" in (output / "certificate.md").read_text()
    picture = np.asarray(Image.open(output / "difference_1.png").convert("RGB"))
    differing = report["verifications"][0]["checks"][0]["differing_px"]
    assert np.count_nonzero((picture == 255).all(axis=2)) >= differing > 0


def test_the_export_writes_the_same_certificate(two_folds_bundle: Bundle) -> None:
    folder, plan = two_folds_bundle.path, two_folds_bundle.plan
    assert {"certificate.md", "certificate.html", "certificate.json"} <= plan.files.keys()
    report = json.loads((folder / "certificate.json").read_text())
    written = [verification["checks"] for verification in report["verifications"]]
    assert written == [v["checks"] for v in plan.as_dict()["verifications"]]
    assert all(verification.passed for verification in plan.verifications)


@pytest.mark.parametrize(
    ("images", "against", "named"),
    [
        (["nowhere.png"], ["{two_folds}"], "nowhere.png"),
        ([], ["{two_folds}", "{two_folds}"], "made of 1 trained models, --against names 2"),
        ([], ["nowhere"], "no plans.json"),
    ],
)
def test_bad_arguments_are_named(
    two_folds_bundle: Bundle,
    two_folds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    images: list[str],
    against: list[str],
    named: str,
) -> None:
    folders = [folder.format(two_folds=two_folds) for folder in against]
    output = tmp_path / "certificate"
    named_folders = [argument for folder in folders for argument in ("--against", folder)]
    command = ["verify", str(two_folds_bundle.path), *named_folders, *images]
    assert main([*command, "--output", str(output)]) == 1
    assert named in capsys.readouterr().err
    assert not output.exists()


def test_a_model_of_other_channels_is_named(
    two_folds_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(TWO_FOLDS, channel_names=("grey",)).write(tmp_path / "other")
    assert verify(two_folds_bundle, other, tmp_path / "certificate") == 1
    assert "takes 1 channels, two_folds 3" in capsys.readouterr().err


def test_an_existing_folder_is_left_alone(
    two_folds_bundle: Bundle,
    two_folds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert verify(two_folds_bundle, two_folds, tmp_path) == 1
    assert "names a new folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_arrays_that_are_none_are_named(
    two_folds_bundle: Bundle,
    two_folds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    array = tmp_path / "objects.npy"
    np.save(array, np.array([{}]), allow_pickle=True)
    assert verify(two_folds_bundle, two_folds, tmp_path / "certificate", array) == 1
    assert "objects.npy holds no array of numbers" in capsys.readouterr().err
