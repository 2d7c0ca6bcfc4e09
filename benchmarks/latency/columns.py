"""Columns: what the rows have to do, a tile through the network or whole photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.photos import large_scene
from droneseg.images import decode_image
from droneseg.scene import draw_scene

# Sizes up to here are drawn whole.
DRAWN_PIXELS = 4_000_000


@dataclass(frozen=True)
class Column:
    """Work for every row.

    Attributes:
        key: its name in a command, and in the results.
        title: for people.
        size: height and width of drawn photos in px; None for a tile, or for photos of yours.
        count: of photos, which are given to the predictor together; tiles in a batch, where 0
            is what suits the engine.
    """

    key: str
    title: str
    size: tuple[int, int] | None = None
    count: int = 1
    files: tuple[Path, ...] = ()

    @property
    def is_tile(self) -> bool:
        """Whether the network alone is measured."""
        return self.size is None and not self.files

    def write(self, folder: Path) -> list[Path]:
        """Write the photos, which every worker process reads: .npy files, uint8 [H, W, 3]."""
        folder.mkdir(parents=True)
        paths = [folder / f"{index}.npy" for index in range(max(self.count, len(self.files)))]
        for index, path in enumerate(paths):
            if self.files:
                np.save(path, decode_image(self.files[index].read_bytes()))
            elif self.size is not None:
                height, width = self.size
                drawn = height * width <= DRAWN_PIXELS
                photo = draw_scene(height, width, index) if drawn else large_scene(height, width)
                np.save(path, photo)
        return paths


TILE, TILES = "tile", "tiles"
REAL = "photos"
# From small to large, so that a process's peak of memory is that of the photo just done.
COLUMNS = {
    column.key: column
    for column in (
        Column(TILE, "one tile"),
        Column(TILES, "a tile of a batch", count=0),
        Column("736x960", "736 x 960", (736, 960)),
        Column("1058x1126", "1058 x 1126", (1058, 1126)),
        Column("8x736x960", "eight of 736 x 960", (736, 960), count=8),
        Column("1500x2000", "1500 x 2000", (1500, 2000)),
        Column("3000x4000", "3000 x 4000", (3000, 4000)),
    )
}


def with_photos(files: Sequence[Path]) -> dict[str, Column]:
    """All columns, with one for photos of yours if there are any."""
    if not files:
        return COLUMNS
    return {**COLUMNS, REAL: Column(REAL, f"{len(files)} real photos", files=tuple(files))}
