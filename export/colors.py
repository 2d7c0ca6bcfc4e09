"""Colours for classes: the ones asked for, else a table of colours that are easy to tell apart."""

import colorsys
import re

from export.errors import ExportError

# Okabe and Ito's palette, safe for colour-blind readers; more classes walk round the colour wheel.
TABLE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
BACKGROUND = "#000000"
GOLDEN_ANGLE = 0.381966


def label_colors(names: list[str], chosen: dict[str, str]) -> dict[str, str]:
    """A colour `#RRGGBB` for each class; the first, nnU-Net's background, is black if not chosen.

    Args:
        names: class names in the order of their ids.
        chosen: colours by class name.

    Raises:
        ExportError: a colour is malformed or for a class that the model lacks.
    """
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        raise ExportError(f"--colors names {unknown}; the model's classes are {names}")
    for name, color in chosen.items():
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", color):
            raise ExportError(f"the colour of {name} is '{color}'; write it as #RRGGBB")
    defaults = [BACKGROUND, *(_color(i) for i in range(len(names) - 1))]
    return {
        name: chosen.get(name, default).upper()
        for name, default in zip(names, defaults, strict=True)
    }


def _color(index: int) -> str:
    if index < len(TABLE):
        return TABLE[index]
    rgb = colorsys.hsv_to_rgb(index * GOLDEN_ANGLE % 1, 0.55 + 0.4 * (index % 2), 0.9)
    return "#" + bytes(round(255 * value) for value in rgb).hex()
