"""Zip files that nnU-Net's own command writes."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from droneseg.bundle import Bundle
from export.__main__ import main
from export.archive import trained_folder
from export.errors import ExportError
from tests.conftest import TWO_FOLDS

MODEL = "Dataset001_Tiny/nnUNetTrainer__nnUNetPlans__2d"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nnUNetv2_export_model_to_zip makes of a trained folder."""
    results = tmp_path_factory.mktemp("nnUNet_results")
    folder = results / MODEL
    (results / "Dataset001_Tiny").mkdir()
    TWO_FOLDS.write(folder)
    (folder / "dataset_fingerprint.json").write_text("{}")
    for fold in TWO_FOLDS.folds:
        (folder / f"fold_{fold}" / "progress.png").touch()
        (folder / f"fold_{fold}" / "validation").mkdir()
        (folder / f"fold_{fold}" / "validation" / "summary.json").write_text("{}")
    path = results / "exported.zip"
    command = Path(sys.executable).parent / "nnUNetv2_export_model_to_zip"
    environment = {name: str(results) for name in ("nnUNet_raw", "nnUNet_preprocessed")}
    subprocess.run(
        [command, "-d", "Dataset001_Tiny", "-o", path, "-c", "2d", "-f", *TWO_FOLDS.folds],
        env={**os.environ, **environment, "nnUNet_results": str(results)},
        check=True,
        capture_output=True,
    )
    return path


def test_a_zip_file_is_exported_like_its_folder(
    archive: Path, two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    assert main([str(archive), "--output", str(tmp_path / "two_folds")]) == 0
    exported = Bundle.load(tmp_path / "two_folds")
    assert exported.plan.members == two_folds_bundle.plan.members
    assert exported.plan.files["model.onnx"] == two_folds_bundle.plan.files["model.onnx"]


def test_of_several_configurations_the_2d_one_is_taken(archive: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(archive, tmp_path / "several.zip"))
    with zipfile.ZipFile(path, "a") as added:
        added.writestr(f"{MODEL.replace('__2d', '__3d_fullres')}/plans.json", "{}")
    with trained_folder(path) as folder:
        assert folder.name == "nnUNetTrainer__nnUNetPlans__2d"
        assert json.loads((folder / "plans.json").read_text())["configurations"]
        assert (folder / "fold_2" / "checkpoint_final.pth").is_file()
    assert not folder.exists()


def test_several_2d_configurations_are_named(archive: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(archive, tmp_path / "several.zip"))
    with zipfile.ZipFile(path, "a") as added:
        plans = added.read(f"{MODEL}/plans.json")
        added.writestr("Dataset002_X/nnUNetTrainer__nnUNetPlans__2d/plans.json", plans)
    with pytest.raises(ExportError, match="Dataset002_X"), trained_folder(path):
        pass


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4 broken"])
def test_another_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(content)
    with pytest.raises(ExportError, match="neither a folder nor a zip file"), trained_folder(path):
        pass


def test_a_zip_file_without_a_model_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as created:
        created.writestr("photo.png", b"")
    with pytest.raises(ExportError, match="holds none"), trained_folder(path):
        pass
