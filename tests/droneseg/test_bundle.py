import shutil
from pathlib import Path

import pytest

from droneseg.bundle import Bundle
from droneseg.errors import BundleNotFound, InvalidBundle


@pytest.fixture
def copy(one_axis_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(one_axis_bundle.path, tmp_path / "copy"))


def test_a_missing_bundle_names_the_commands_that_bring_one(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound, match=r"dvc pull.*python -m export"):
        Bundle.load(tmp_path / "nothing")


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "model.onnx").unlink()
    with pytest.raises(InvalidBundle, match=r"model\.onnx is missing"):
        Bundle.load(copy)


def test_an_altered_file_is_named(copy: Path) -> None:
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InvalidBundle, match=r"model\.onnx is not the file that was exported"):
        Bundle.load(copy)


def test_a_bundle_may_move(copy: Path, one_axis_bundle: Bundle) -> None:
    assert Bundle.load(copy).plan == one_axis_bundle.plan


def test_probes_are_recorded(one_axis_bundle: Bundle) -> None:
    probes = one_axis_bundle.probes()
    assert probes.tiles.shape == (2, 3, 64, 48)
    assert probes.logits.shape == (2, 4, 22, 16)
    assert probes.stride == 3
