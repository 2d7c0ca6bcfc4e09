"""Every way to run nnU-Net on whole photos, side by side.

python -m benchmarks.latency --trained-folder FOLDER --photos tile3/*.jpg --masks masks

Rows take turns (A B A B), each in a process of its own. A run of some rows, columns or models
replaces their cells in benchmarks/results/latency.json and leaves the others; latency.md and
latency.png are drawn anew. See --help for what they are called.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from tqdm import tqdm

from benchmarks.iou import mean_iou
from benchmarks.latency.columns import COLUMNS, REAL, Column, with_photos
from benchmarks.latency.models import BUNDLE, PLAN, Model, open_models
from benchmarks.latency.peak import measured_peaks
from benchmarks.latency.report import write_report
from benchmarks.latency.results import Cell, Place, Results
from benchmarks.latency.rounds import Limits, Timings, measure_column
from benchmarks.latency.rows import REFERENCE, ROWS, torch_device
from benchmarks.latency.worker import Worker, WorkerFailed
from benchmarks.machine import RESULTS, describe, machine_name
from droneseg.bundle import DEFAULT_MODEL, Bundle


def main() -> None:
    """Measure what was chosen, and write the results after each column."""
    options = parse()
    machine = describe()
    name = machine_name(machine)
    run = f"{name}, commit {machine['commit']}, {machine['date']}"
    results = Results(options.output)
    results.runs[run] = machine
    reasons = {row: ROWS[row].unusable() for row in ROWS}
    results.note_machine(
        name,
        {row: reason for row, reason in reasons.items() if reason},
        measured_peaks(torch_device()),
    )
    rows = [row for row in ROWS if row in {*options.rows, REFERENCE} and reasons[row] is None]
    bench = Bench(options, results, name, run, rows)
    with tempfile.TemporaryDirectory() as folder:
        models = list(
            open_models(options.models, options.model, options.trained_folder, Path(folder))
        )
        bench.run(models, Path(folder) / "photos")
    print(write_report(results))


@dataclass(frozen=True)
class Bench:
    """A run: what was chosen, and where its cells go.

    Attributes:
        machine: its name.
        run_name: by which its cells name it.
        rows: those that were chosen and can be run, the reference first.
    """

    options: argparse.Namespace
    results: Results
    machine: str
    run_name: str
    rows: list[str]

    def run(self, models: list[Model], folder: Path) -> None:
        """Measure every model, with mirroring and without; photos go into `folder`."""
        known = with_photos(self.options.photos)
        columns = [known[key] for key in known if key in {*self.options.columns, REAL}]
        paths = {c.key: [] if c.is_tile else c.write(folder / c.key) for c in columns}
        mirroring = [choice == "on" for choice in self.options.mirroring]
        limits = Limits(self.options.repeats, self.options.budget_s, self.options.longest_s)
        with tqdm(total=len(models) * len(mirroring) * len(columns), unit="column") as bar:
            for model, mirrored in product(models, mirroring):
                with self._workers(model, mirroring=mirrored) as workers:
                    for column in columns:
                        bar.set_description(f"{model.key}, {column.title}")
                        once = mirrored is mirroring[0]
                        # A random network has nothing to say about real photos.
                        if once if column.is_tile else column.key != REAL or model.key == BUNDLE:
                            timings = measure_column(
                                workers, column, paths[column.key], limits, bar.set_postfix_str
                            )
                            self._note(model, column, timings, mirroring=mirrored)
                        bar.update()

    @contextmanager
    def _workers(self, model: Model, *, mirroring: bool) -> Iterator[dict[str, Worker]]:
        """A process for each row that can run the model."""
        with ExitStack() as stack:
            workers = {}
            for row in self.rows:
                if ROWS[row].is_nnunet and model.trained is None:
                    continue
                # The fast mode never mirrors: what it replaces is nnU-Net's default, which does.
                if ROWS[row].mode == "fast" and not mirroring:
                    continue
                try:
                    workers[row] = Worker(ROWS[row], model, mirroring=mirroring)
                except WorkerFailed as failure:
                    self.results.machines[self.machine]["unusable"][row] = str(failure)
                else:
                    stack.callback(workers[row].close)
            yield workers

    def _note(
        self, model: Model, column: Column, timings: dict[str, Timings], *, mirroring: bool
    ) -> None:
        """Put a column's cells into the results, and save them."""
        self.results.models[model.key] = model.described()
        alone = None if column.is_tile else mirroring
        place = Place(self.machine, self.run_name, model, column.key, alone)
        for row, timing in timings.items():
            new = place.cell(row, timings)
            if column.key == REAL:
                new = self._with_iou(new, model, timing)
            self.results.add(new)
        self.results.save()

    def _with_iou(self, new: Cell, model: Model, timing: Timings) -> Cell:
        if self.options.masks is None or not timing.labels:
            return new
        masks = [self.options.masks / f"{photo.stem}.png" for photo in self.options.photos]
        labels = Bundle.load(model.bundle).plan.labels
        return replace(new, mean_iou=mean_iou(timing.labels, masks, labels))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", type=Path, default=DEFAULT_MODEL, help="the bundle (default: %(default)s)")
    add("--trained-folder", type=Path, help="the nnU-Net folder that the bundle was made from")
    add("--photos", type=Path, nargs="+", default=[], help="real photos, one more column")
    add("--masks", type=Path, help="folder of NAME.png in the classes' colours: mean IoU")
    for what, known in (
        ("models", [BUNDLE, PLAN]),
        ("rows", list(ROWS)),
        ("columns", list(COLUMNS)),
        ("mirroring", ["on", "off"]),
    ):
        add(f"--{what}", nargs="*", choices=known, default=known, help="default: all")
    add("--repeats", type=int, default=7, help="rounds at the most (default: %(default)s)")
    add("--budget-s", type=float, default=60, help="for the rounds of a column")
    add("--longest-s", type=float, default=600, help="rows that would take longer are left out")
    add("--output", type=Path, default=RESULTS, help="where results go (default: %(default)s)")
    return parser.parse_args()
