"""Trained folders inside of the zip files that nnUNetv2_export_model_to_zip writes."""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from export.errors import ExportError

PLANS = "plans.json"


@contextmanager
def trained_folder(path: Path) -> Iterator[Path]:
    """A trained folder as it is, or the one with a 2D configuration unpacked from a zip file.

    Raises:
        ExportError: the zip file is broken, or has none or several such folders.
    """
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with zipfile.ZipFile(path) as archive:
                inner = _inner_folder(path, archive)
                wanted = [n for n in archive.namelist() if PurePosixPath(n).is_relative_to(inner)]
                # Keeps members inside of the folder, whatever they are called.
                archive.extractall(temporary, wanted)
        except (zipfile.BadZipFile, RuntimeError) as error:
            # RuntimeError: it is encrypted.
            raise ExportError(f"{path} is neither a folder nor a zip file: {error}") from error
        yield Path(temporary) / inner


def _inner_folder(path: Path, archive: zipfile.ZipFile) -> PurePosixPath:
    names = [PurePosixPath(name) for name in archive.namelist()]
    found = [name.parent for name in names if name.name == PLANS]
    folders = [folder for folder in found if _is_2d(folder, archive)]
    if len(folders) != 1:
        raise ExportError(
            f"{path} should hold one trained folder of a 2D configuration, but holds "
            f"{', '.join(map(str, found)) or 'none'}; unpack it and name the folder"
        )
    return folders[0]


def _is_2d(folder: PurePosixPath, archive: zipfile.ZipFile) -> bool:
    """By the configuration, whose name ends nnU-Net's TRAINER__PLANS__CONFIGURATION."""
    try:
        plans = json.loads(archive.read(str(folder / PLANS)))
        configuration = plans["configurations"][folder.name.rpartition("__")[2]]
        while "patch_size" not in configuration:
            configuration = plans["configurations"][configuration["inherits_from"]]
        return len(configuration["patch_size"]) == 2
    except (KeyError, TypeError, ValueError):
        return False
