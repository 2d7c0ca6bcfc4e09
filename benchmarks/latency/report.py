"""The report for people: benchmarks/results/latency.md. Run as a module, it is written anew."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.latency.columns import COLUMNS, REAL, TILE, TILES
from benchmarks.latency.plot import draw
from benchmarks.latency.results import Cell, Results
from benchmarks.latency.rounds import QUIET_SHARE
from benchmarks.latency.rows import REFERENCE, ROWS
from benchmarks.machine import signature

NONE = ""
PHOTOS = [key for key, column in COLUMNS.items() if not column.is_tile] + [REAL]
TITLES = {key: column.title for key, column in COLUMNS.items()} | {REAL: "real photos"}
NOTE = """Each row runs in a process of its own, and rows take turns. Times are medians of n rounds
after one that warms up (n = 1: the only round). "Times faster" is against nnUNetPredictor in the
same rounds, with the interval of the median by the signs of its values: 95 % for n of 6 and more,
else from the smallest to the largest (94 % for n = 5, 88 % for 4, 75 % for 3, 50 % for 2)."""


class Table:
    """Cells of one machine and model by row, column and mirroring."""

    def __init__(self, cells: Sequence[Cell], machine: str, model: str):
        """Pick them out of all."""
        self._cells = {
            (cell.row, cell.column, cell.mirroring): cell
            for cell in cells
            if (cell.machine, cell.model) == (machine, model)
        }

    def get(self, row: str, column: str, mirroring: bool | None) -> Cell | None:  # noqa: FBT001
        """The cell there, if there is one."""
        return self._cells.get((row, column, mirroring))

    def others(self) -> tuple[float, float]:
        """The least and the most that other processes took."""
        shares = [cell.others_share for cell in self._cells.values() if cell.median_s]
        return min(shares, default=0), max(shares, default=0)

    def columns(self, mirroring: bool) -> list[str]:  # noqa: FBT001
        """Columns of photos that have cells."""
        there = {column for _, column, mirrored in self._cells if mirrored is mirroring}
        return [key for key in PHOTOS if key in there]

    def rows(self, mirroring: bool | None) -> list[str]:  # noqa: FBT001
        """Rows that have cells."""
        there = {row for row, _, mirrored in self._cells if mirrored is mirroring}
        return [key for key in ROWS if key in there]


def write_report(results: Results) -> str:
    """Write latency.md and latency.png beside latency.json; returns the former."""
    text = "\n".join(_lines(results)) + "\n"
    results.path.with_suffix(".md").write_text(text)
    draw(results, results.path.with_suffix(".png"))
    return text


def _lines(results: Results) -> Iterator[str]:
    yield NOTE
    for machine, about in results.machines.items():
        yield f"\n## {machine}"
        for model, described in results.models.items():
            table = Table(results.cells, machine, model)
            yield f"\n### {described['title']}, {described['gigaflops_a_tile']:.1f} GFLOP a tile"
            for mirroring in (True, False):
                yield from _times(table, mirroring=mirroring)
            yield from _network(table, about["peaks"])
            yield from _besides(table)
            yield (
                "\nOther processes took "
                + " to ".join(f"{share:.0%}" for share in table.others())
                + " of the cores meanwhile, from column to column; rounds in which they took more "
                f"than {QUIET_SHARE:.0%} count only where there is no other."
            )
        yield from (
            f"\nNot run: {ROWS[row].title}: {reason}." for row, reason in about["unusable"].items()
        )
    yield "\n## Runs\n"
    yield from (f"- {signature(run)}" for run in results.runs.values())


def _times(table: Table, *, mirroring: bool) -> Iterator[str]:
    columns, rows = table.columns(mirroring), table.rows(mirroring)
    if not columns:
        return
    yield f"\n{'Mirrored' if mirroring else 'Not mirrored'}: seconds, and times faster\n"
    yield from _head(["", *(TITLES[column] for column in columns)])
    for row in rows:
        cells = [_time(table.get(row, column, mirroring)) for column in columns]
        yield _line([ROWS[row].title, *cells])


def _time(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    if cell.median_s is None:
        return str(cell.skipped)
    text = f"{seconds(cell.median_s)} (n = {len(cell.seconds)})"
    faster = cell.times_faster
    if faster is None:
        return text
    return f"{text}<br>{faster.median:.2f} times ({faster.low:.2f} to {faster.high:.2f})"


def seconds(value: float) -> str:
    """Three digits."""
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def _network(table: Table, peaks: dict[str, Any]) -> Iterator[str]:
    rows = table.rows(None)
    if not rows:
        return
    peaks_text = "; ".join(
        f"{precision} {peak['gflops']:.0f} GFLOP/s ({peak['kernel']})"
        for precision, peak in peaks.items()
    )
    yield (
        f"\nThe network alone. This machine's peak: {peaks_text}. Operations are those of plain "
        "convolutions: Winograd's need fewer, and may come to more than the peak.\n"
    )
    yield from _head(["", TITLES[TILE], TITLES[TILES], "GFLOP/s", "of the peak"])
    for row in rows:
        one, many = table.get(row, TILE, None), table.get(row, TILES, None)
        gflops = many.gflops if many else None
        peak = peaks.get(many.precision) if many else None
        yield _line(
            [
                ROWS[row].title,
                _time(one),
                _time(many),
                f"{gflops:.0f}" if gflops else NONE,
                f"{gflops / peak['gflops']:.0%}" if gflops and peak else NONE,
            ]
        )


def _besides(table: Table) -> Iterator[str]:
    """What else is asked of a row, mirrored as nnU-Net does by default."""
    columns, rows = table.columns(mirroring=True), table.rows(mirroring=True)
    if not columns:
        return
    largest = max((key for key in columns if key != REAL), key=PHOTOS.index, default=REAL)
    yield "\nMirrored: labels equal to nnUNetPredictor's, and what the largest photo took\n"
    yield from _head(
        [
            "",
            *(f"equal, {TITLES[key]}" for key in columns),
            "mean IoU, real photos",
            f"peak memory, {TITLES[largest]}",
            f"time over the tiles' own, {TITLES[largest]}",
        ]
    )
    for row in rows:
        real, large = table.get(row, REAL, mirroring=True), table.get(row, largest, mirroring=True)
        yield _line(
            [
                ROWS[row].title,
                *(_equal(table.get(row, key, mirroring=True)) for key in columns),
                f"{real.mean_iou:.3f}" if real and real.mean_iou is not None else NONE,
                f"{large.peak_mb} MB" if large and large.peak_mb else NONE,
                _over_tiles(large, table.get(row, TILES, None)),
            ]
        )


def _equal(cell: Cell | None) -> str:
    if cell is None or cell.labels_equal is None or cell.row == REFERENCE:
        return NONE
    return f"{cell.labels_equal:.3%}"


def _over_tiles(whole: Cell | None, tile: Cell | None) -> str:
    if not (whole and whole.median_s and whole.network_runs and tile and tile.median_s):
        return NONE
    return f"{whole.median_s / (whole.network_runs * tile.median_s):.3f}"


def _head(titles: Sequence[str]) -> Iterator[str]:
    yield _line(titles)
    yield _line(["---"] * len(titles))


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


if __name__ == "__main__":
    print(write_report(Results()))
