import pickle
from pathlib import Path

import pytest
import torch

from export.checkpoint import Checkpoint
from export.errors import ExportError, UntrustedCheckpoint

NAME = "checkpoint_final.pth"


class Unknown:
    """A class that no allow-list has."""


class Malicious:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path):
        self._trace = trace

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._trace,)


def save_with(trained: Path, folder: Path, **extra: object) -> Path:
    content = torch.load(trained / "fold_0" / NAME, weights_only=False)
    torch.save(content | extra, folder / NAME)
    return folder / NAME


def test_an_ordinary_checkpoint_needs_no_trust(one_axis: Path) -> None:
    checkpoint = Checkpoint.load(one_axis / "fold_0" / NAME)
    assert checkpoint.trainer == "nnUNetTrainerOfAnotherTeam"
    assert checkpoint.configuration == "2d"
    assert checkpoint.mirror_axes == (0,)
    assert len(checkpoint.sha256) == 64
    assert all(isinstance(tensor, torch.Tensor) for tensor in checkpoint.weights.values())


def test_other_classes_need_the_flag(one_axis: Path, tmp_path: Path) -> None:
    path = save_with(one_axis, tmp_path, logging=Unknown())
    with pytest.raises(UntrustedCheckpoint, match=r"Unknown.*--trust"):
        Checkpoint.load(path)
    assert Checkpoint.load(path, trust=True).mirror_axes == (0,)


def test_no_code_from_the_file_runs(one_axis: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = save_with(one_axis, tmp_path, logging=Malicious(trace))
    with pytest.raises(UntrustedCheckpoint):
        Checkpoint.load(path)
    assert not trace.exists()


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=NAME):
        Checkpoint.load(tmp_path / NAME)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"version of a pointer", pickle.dumps({"a": 1}, protocol=2)]
)
def test_another_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(ExportError, match="checkpoint") as caught:
        Checkpoint.load(tmp_path / NAME)
    assert not isinstance(caught.value, UntrustedCheckpoint)


def test_a_checkpoint_of_something_else_says_what_is_missing(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / NAME)
    with pytest.raises(ExportError, match="network_weights"):
        Checkpoint.load(tmp_path / NAME)
