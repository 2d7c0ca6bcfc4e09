import shutil
from pathlib import Path

import pytest

from droneseg.bundle import Bundle, find_bundle
from droneseg.errors import BundleNotFound, InvalidBundle


@pytest.fixture
def copy(one_axis_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(one_axis_bundle.path, tmp_path / "copy"))


def test_a_missing_bundle_names_the_commands_that_bring_one(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound, match=r"make model.*python -m export"):
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


def test_a_bundle_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert find_bundle(Path("mine"), tmp_path) == tmp_path / "models" / "mine"
    assert find_bundle(Path("models/mine"), tmp_path) == tmp_path / "models" / "mine"
    assert find_bundle(tmp_path / "elsewhere", tmp_path) == tmp_path / "elsewhere"
    assert find_bundle(Path("none"), tmp_path) == tmp_path / "models" / "none"
