"""Files, folders and globs to photos."""

import glob
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from droneseg.errors import DroneSegError
from droneseg.images import FORMATS


class NoPhotos(DroneSegError):
    """A folder or a glob has no photos."""

    code = "no_photos"


def find_photos(arguments: list[str]) -> list[Path]:
    """The photos that the arguments name, each once, in their order.

    A file that is named is taken whatever it is, and even if it is missing: it is then reported
    like a broken one. Of a folder its images are taken, by their extension, but not those of the
    folders in it. A glob is for shells that do not expand them, and for quoted ones; `**` goes
    down any number of folders.

    Raises:
        NoPhotos: no image in a folder, or no file matches a glob.
    """
    found = {path.resolve(): path for argument in arguments for path in _expand(argument)}
    return list(found.values())


def _expand(argument: str) -> Iterator[Path]:
    path = Path(argument)
    if path.is_dir():
        yield from _images_in(path)
    elif glob.has_magic(argument) and not path.exists():
        # Path.glob takes no absolute patterns.
        matches = map(Path, glob.glob(argument, recursive=True))  # noqa: PTH207
        files = sorted(path for path in matches if not path.is_dir())
        if not files:
            raise NoPhotos(f"no file matches '{argument}'")
        yield from files
    else:
        yield path


def _images_in(folder: Path) -> list[Path]:
    extensions = {e for e, name in Image.registered_extensions().items() if name in FORMATS}
    images = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in extensions and path.is_file() and not path.name.startswith(".")
    ]
    if not images:
        raise NoPhotos(
            f"no images in the folder {folder}; '{folder}/**/*.jpg' names those of its folders"
        )
    return images
