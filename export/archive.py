"""Trained folders inside of the zip files that nnUNetv2_export_model_to_zip writes."""

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
        except zipfile.BadZipFile as error:
            raise ExportError(f"{path} is neither a folder nor a zip file: {error}") from error
        yield Path(temporary) / inner


def _inner_folder(path: Path, archive: zipfile.ZipFile) -> PurePosixPath:
    names = [PurePosixPath(name) for name in archive.namelist()]
    folders = [name.parent for name in names if name.name == PLANS]
    if len(folders) > 1:
        # nnU-Net names the folder TRAINER__PLANS__CONFIGURATION.
        folders = [folder for folder in folders if folder.name.endswith("__2d")]
    if len(folders) != 1:
        found = ", ".join(map(str, folders)) or "none"
        raise ExportError(
            f"{path} should hold one trained folder of a 2D configuration, but holds {found}; "
            "unpack it and name the folder"
        )
    return folders[0]
