"""How our plots look: the same on light and on dark pages."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ACCENT, QUIET = "#1f6fb2", "#9aa5b1"
# For lines that are told apart.
COLORS = (ACCENT, "#d1603d", "#3c8d5a", "#8a5fb0", "#9aa5b1")
WIDTH = 8.4
STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e7eb",
    "grid.linewidth": 0.8,
    # Its own paper: a transparent one would need two inks.
    "savefig.facecolor": "white",
    "figure.facecolor": "white",
}


def figure(rows: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of panels, each of this height in inches."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update(STYLE)
    sheet, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height * rows), squeeze=False, layout="constrained"
    )
    return sheet, list(axes.flat)


def save(sheet: Figure, path: Path) -> None:
    """Write a PNG without a date in it, so that equal results make equal files."""
    from matplotlib import pyplot as plt

    sheet.savefig(path, dpi=160, metadata={"Software": None})
    plt.close(sheet)
