import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from droneseg.cache import cache_folder, load, store

CONTENT = bytes(range(256)) * 9


def test_what_was_stored_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "blob"
    assert load(path) is None
    assert store(path, CONTENT)
    assert bytes(load(path) or b"") == CONTENT
    assert store(path, memoryview(b"other"))
    assert bytes(load(path) or b"") == b"other"
    assert [entry.name for entry in path.parent.iterdir()] == ["blob"]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def rename(path: Path) -> None:
    """Another version's file under this name."""
    store(path.with_name("blob-2"), CONTENT)
    path.with_name("blob-2").replace(path)


@pytest.mark.parametrize("damage", [flip, truncate, empty, rename])
def test_what_was_altered_is_not_loaded(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "blob"
    store(path, CONTENT)
    damage(path)
    assert load(path) is None
    assert "is not what was written there" in caplog.text


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "blob"
    assert not store(path, CONTENT)
    assert load(path) is None
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_other_users_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    store(tmp_path / "blob", CONTENT)
    os.umask(before)
    assert stat.S_IMODE((tmp_path / "blob").stat().st_mode) == 0o644


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRONESEG_CACHE", str(tmp_path))
    assert cache_folder("tensorrt") == tmp_path / "tensorrt"
    monkeypatch.setenv("DRONESEG_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_folder("tensorrt").is_absolute()
    assert cache_folder("tensorrt").parts[-2:] == ("droneseg", "tensorrt")
