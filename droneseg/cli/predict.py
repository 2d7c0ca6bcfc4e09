"""droneseg predict: photos to label maps, colours and overlays in a folder."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from droneseg.cli.sources import Segmented, Source
from droneseg.errors import DroneSegError


class NameClash(DroneSegError):
    """Two results would have the same file name."""

    code = "name_clash"


class PredictCommand:
    """Segments files; bad ones are named, counted and skipped."""

    def __init__(self, images: Sequence[Path], output: Path):
        """Take the files.

        Raises:
            NameClash: results would overwrite each other, or could overwrite files of yours.
        """
        _refuse_clashes(images, output)
        self._images = images
        self._output = output
        self._skipped = 0

    def run(self, source: Source) -> int:
        """Segment and write; the exit status."""
        self._output.mkdir(parents=True, exist_ok=True)
        with tqdm(total=len(self._images), unit="photo", desc="segmenting") as bar:

            def skip(path: Path, error: Exception) -> None:
                reason = error.strerror if isinstance(error, OSError) else error
                bar.write(f"skipped {path}: {reason}", file=sys.stderr)
                bar.update()
                self._skipped += 1

            for segmented in source.segment(self._images, skip):
                self._write(segmented)
                bar.update()
        written = len(self._images) - self._skipped
        print(f"{written} segmented into {self._output}, {self._skipped} skipped")
        return 1 if self._skipped else 0

    def _write(self, segmented: Segmented) -> None:
        segmentation = segmented.segmentation
        for kind, png in (
            ("labels", segmentation.label_png()),
            ("color", segmentation.color_png()),
            ("overlay", segmentation.overlay_png(segmented.photo)),
        ):
            (self._output / f"{segmented.path.stem}_{kind}.png").write_bytes(png)


def _refuse_clashes(images: Sequence[Path], output: Path) -> None:
    """Two photos of one name would overwrite each other's results."""
    by_name: dict[str, Path] = {}
    for path in images:
        other = by_name.setdefault(path.stem, path)
        if other is not path:
            raise NameClash(
                f"{other} and {path} would both be written as {path.stem}_*.png; "
                "write them to different folders"
            )
        if path.parent.resolve() == output.resolve():
            raise NameClash(
                f"{output} is the folder of {path}: results could overwrite what lies "
                "beside it; write them to another folder"
            )
