"""The plot for the README: times faster than nnUNetPredictor, for every row that ran."""

from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.latency.columns import COLUMNS, REAL
from benchmarks.latency.interval import MedianInterval
from benchmarks.latency.models import BUNDLE
from benchmarks.latency.results import Cell, Results
from benchmarks.latency.rows import REFERENCE, ROWS
from benchmarks.plots import ACCENT, QUIET, figure, save

TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
ROOM_FOR_TEXT = 14
AS_FAST = MedianInterval(1.0, 1.0, 1.0, 1.0)
# What the plot shows of a model: the last of these in which the reference ran.
DRAWN = [REAL] + [key for key, c in COLUMNS.items() if not c.is_tile and c.count == 1]


def draw(results: Results, path: Path) -> None:
    """One panel for each machine and model, photos mirrored as nnU-Net does by default."""
    panels = [
        (f"{described['title']}, {machine}", chosen)
        for machine in results.machines
        for model, described in results.models.items()
        if (chosen := _chosen(results, machine, model))
    ]
    if not panels:
        return
    rows = max(len(cells) for _, cells in panels)
    sheet, axes = figure(len(panels), 1, height=0.8 + 0.42 * rows)
    for axis, (title, cells) in zip(axes, panels, strict=True):
        _panel(axis, title, cells)
    axes[-1].set_xlabel("times faster than nnUNetPredictor, from RGB array to label map")
    save(sheet, path)


def _chosen(results: Results, machine: str, model: str) -> list[Cell]:
    """The cells of the largest photo that the reference and another row segmented."""
    for column in reversed(DRAWN):
        cells = {
            cell.row: cell
            for cell in results.cells
            if (cell.machine, cell.model, cell.column, cell.mirroring)
            == (machine, model, column, True)
            and cell.median_s is not None
        }
        if REFERENCE in cells and len(cells) > 1:
            return [cells[row] for row in ROWS if row in cells]
    return []


def _panel(axis: Axes, title: str, cells: list[Cell]) -> None:
    """A bar for each row, on a logarithmic axis that starts at the reference."""
    names = [ROWS[cell.row].title for cell in cells]
    faster = [cell.times_faster or AS_FAST for cell in cells]
    ratios = [interval.median for interval in faster]
    errors = [
        [interval.median - interval.low for interval in faster],
        [interval.high - interval.median for interval in faster],
    ]
    colors = [QUIET if ROWS[cell.row].is_nnunet else ACCENT for cell in cells]
    axis.barh(names, [ratio - 1 for ratio in ratios], left=1, color=colors, height=0.66)
    axis.errorbar(ratios, names, xerr=errors, fmt="none", ecolor="#222222", elinewidth=1, capsize=2)
    for name, interval, cell in zip(names, faster, cells, strict=True):
        equal = _equal(cell)
        axis.annotate(
            f"{interval.median:.1f} times   {cell.median_s:.3g} s{equal}",
            (max(interval.high, 1), name),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
        )
    ticks = [tick for tick in TICKS if tick <= 2 * max(ratios)]
    axis.set_xscale("log")
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.set_xlim(1, max(interval.high for interval in faster) * ROOM_FOR_TEXT)
    axis.invert_yaxis()
    axis.grid(visible=False, axis="y")
    column = COLUMNS.get(cells[0].column)
    work = f"one photo of {column.title} px" if column else "real photos"
    axis.set_title(f"{title}: {work}")


def _equal(cell: Cell) -> str:
    """Of a trained model; random weights are undecided about most pixels."""
    if cell.labels_equal is None or cell.row == REFERENCE or cell.model != BUNDLE:
        return ""
    return f"   {cell.labels_equal:.2%} of the labels"
