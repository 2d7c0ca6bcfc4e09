"""python -m export tensorrt, for real; the engines cannot be run without a GPU."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from droneseg import cache
from droneseg.bundle import PLAN_FILE, Bundle
from droneseg.engines.tensorrt_build import EngineBuild
from droneseg.mode import Precision
from export.__main__ import main

pytest.importorskip("tensorrt_rtx", reason="there are wheels for Linux and Windows alone")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("DRONESEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tensorrt"


def engines(bundle: Bundle, precision: Precision, *targets: str) -> list[Path]:
    """The files that the engine looks for."""
    return [
        EngineBuild.of(bundle.model_path(index), precision, target).path
        for index in range(len(bundle.plan.members))
        for target in targets
    ]


def test_engines_lie_where_they_are_looked_for(
    default_bundle: Bundle, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tensorrt", str(default_bundle.path)]) == 0
    expected = engines(default_bundle, "fp16", "SM89", "SM120")
    assert sorted(folder.iterdir()) == sorted(expected)
    # Their weights are in there, in float16.
    size = default_bundle.model_path().stat().st_size
    assert all(len(cache.load(path) or b"") > size / 2 for path in expected)
    output = capsys.readouterr().out
    assert re.search(r"^model\.onnx, SM89, fp16: \d+\.\d MB\nmodel\.onnx, SM120, fp16: ", output)
    assert str(folder.parent) in output
    assert "tensorrt_rtx" in output


def test_what_is_there_is_not_built_again(two_folds_bundle: Bundle, folder: Path) -> None:
    arguments = ["tensorrt", str(two_folds_bundle.path), "--targets", "SM89"]
    assert main([*arguments, "--precision", "fp32"]) == 0
    (path,) = engines(two_folds_bundle, "fp32", "SM89")
    before = path.stat().st_ino
    assert main([*arguments, "--precision", "fp32"]) == 0
    assert path.stat().st_ino == before
    path.write_bytes(b"damaged")
    assert main([*arguments, "--precision", "fp32"]) == 0
    assert cache.load(path) is not None


@pytest.fixture
def both(two_folds_bundle: Bundle, one_axis_bundle: Bundle, tmp_path: Path) -> Bundle:
    """Two members in one bundle."""
    folder = tmp_path / "both"
    folder.mkdir()
    members, files = [], {}
    for index, bundle in enumerate((two_folds_bundle, one_axis_bundle)):
        (member,) = bundle.plan.members
        named = replace(member, model=f"model_{index}.onnx", probes=f"probes_{index}.npz")
        members.append(named)
        for old, new in ((member.model, named.model), (member.probes, named.probes)):
            shutil.copyfile(bundle.path / old, folder / new)
            files[new] = bundle.plan.files[old]
    plan = replace(two_folds_bundle.plan, members=tuple(members), files=files)
    plan.sealed().save(folder / PLAN_FILE)
    return Bundle.load(folder)


def test_each_member_of_an_ensemble_has_one(both: Bundle, folder: Path) -> None:
    assert main(["tensorrt", str(both.path), "--targets", "SM120"]) == 0
    assert sorted(folder.iterdir()) == sorted(engines(both, "fp16", "SM120"))
    assert len(list(folder.iterdir())) == 2


def test_an_unknown_target_is_named(
    two_folds_bundle: Bundle, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tensorrt", str(two_folds_bundle.path), "--targets", "SM89,SM99"]) == 1
    error = capsys.readouterr().err
    assert "cannot build for 'SM99' here, but for" in error
    assert "SM89" in error
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_an_error(
    two_folds_bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRONESEG_CACHE", str(tmp_path / "file"))
    assert main(["tensorrt", str(two_folds_bundle.path), "--targets", "SM89"]) == 1
    assert "cannot be written" in capsys.readouterr().err
