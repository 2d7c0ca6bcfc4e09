"""The matrix of models: every pair of properties occurs in some row."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from allpairspy import AllPairs

from benchmarks.random_model import TrainedFolder
from droneseg.normalization import ImageArray
from export.photos import draw_photo

CLASSES = ("background", "roof", "road", "tree")
REGIONS = (("built", (1, 2), 1), ("road", (2,), 2), ("green", (3,), 3))
# Painted in an order that is not that of the ids, one of which occurs twice.
REORDERED = (("green", (3,), 3), ("built", (1, 2), 1), ("road", (2,), 3))
LABELS: dict[str, dict[str, Any]] = {
    "softmax": {"classes": CLASSES},
    "softmax, ignore": {"classes": CLASSES, "ignore": True},
    "softmax, 12 classes": {"classes": ("background", *(f"class {i}" for i in range(1, 12)))},
    "regions": {"classes": CLASSES, "regions": REGIONS},
    "regions, ignore": {"classes": CLASSES, "regions": REGIONS, "ignore": True},
    "regions, own order": {"classes": CLASSES, "regions": REORDERED},
}
# By these names of channels nnU-Net's planner chooses a scheme.
SCHEMES = {
    "ZScore": ("R", "G", "B"),
    "CT": ("ct",),
    "NoNorm": ("nonorm",),
    "RescaleTo01": ("rescale_to_0_1",),
    "RGBTo01": ("rgb_to_0_1",),
    "mixed": ("zscore", "rgb_to_0_1", "nonorm", "ct", "rescale_to_0_1"),
}
TOPS = {"uint8": 255.0, "uint16": 9000.0, "float32": 3.5}
FOLDS = {"one": ("0",), "two": ("0", "3"), "all": ("all",), "ensemble": ("1",)}
AXES: dict[str, list[Any]] = {
    "architecture": [
        "PlainConvUNet",
        "ResidualEncoderUNet",
        "ResidualUNet",
        "PlainConvUNet BatchNorm",
        "PlainConvUNet anisotropic",
    ],
    "normalisation": list(SCHEMES),
    "mask": ["no", "non-zero"],
    "labels": list(LABELS),
    "mirror axes": [(0, 1), (0,), (1,), None],
    "channels": [1, 3, 4, 7],
    "folds": list(FOLDS),
    "checkpoint": ["final", "best"],
    "pixels": list(TOPS),
}


@dataclass(frozen=True)
class Row:
    """A model of the matrix: a value for each axis."""

    values: tuple[Any, ...]

    def __getitem__(self, axis: str) -> Any:
        return self.values[list(AXES).index(axis)]

    @property
    def cells(self) -> tuple[str, ...]:
        """What the table says."""
        return tuple("none" if value is None else str(value) for value in self.values)

    @property
    def trained(self) -> list[TrainedFolder]:
        """The trained folder, or the two of an ensemble, which differ in all that they may."""
        names = SCHEMES[self["normalisation"]]
        channels = self["channels"]
        first = TrainedFolder(
            architecture=self["architecture"],
            folds=FOLDS[self["folds"]],
            mirror_axes=self["mirror axes"],
            channel_names=tuple(names[index % len(names)] for index in range(channels)),
            masked=self["mask"] == "non-zero",
            top=TOPS[self["pixels"]],
            checkpoint_name=f"checkpoint_{self['checkpoint']}.pth",
            **LABELS[self["labels"]],
        )
        if self["folds"] != "ensemble":
            return [first]
        other = replace(
            first,
            architecture="ResidualEncoderUNet",
            channel_names=("zscore",) * channels,
            patch_size=(48, 80),
            mirror_axes=(1,),
            seed=70,
        )
        return [first, other]

    def photo(self, shape: tuple[int, int], seed: int) -> ImageArray:
        """A scene of the row's type, with black borders and a black hole."""
        photo = draw_photo(shape, seed, self.trained[0].tops)
        photo[: shape[0] // 9] = 0
        photo[:, -shape[1] // 7 :] = 0
        photo[shape[0] // 2 :][: shape[0] // 5, shape[1] // 3 : shape[1] // 2] = 0
        return photo


def rows() -> list[Row]:
    """The rows of the matrix, always the same."""
    return [Row(tuple(v)) for v in AllPairs(list(AXES.values()))]


def write_trained(row: Row, folder: Path) -> list[Path]:
    """Write the trained folders of a row."""
    return [trained.write(folder / f"trained_{index}") for index, trained in enumerate(row.trained)]
