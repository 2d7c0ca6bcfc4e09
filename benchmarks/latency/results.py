"""Results: cells of many runs in one file, each of which names the run that it came from."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.latency.columns import TILE, TILES
from benchmarks.latency.interval import MedianInterval, median_interval
from benchmarks.latency.models import Model
from benchmarks.latency.peak import Peak
from benchmarks.latency.rounds import Timings, labels_equal
from benchmarks.latency.rows import REFERENCE
from benchmarks.machine import RESULTS

NAME = "latency.json"


@dataclass(frozen=True)
class Cell:
    """A row in a column of a model.

    Attributes:
        machine: on which it was measured.
        run: which of the file's runs measured it.
        mirroring: None for the network alone.
        precision: what the network computed in.
        seconds: of each round, in order.
        median_s: None if it was not run; `skipped` says why.
        times_faster: the reference's seconds over this row's, round by round.
        labels_equal: the share of the reference's labels.
        mean_iou: with masks of real photos.
        network_runs: tiles that went through the network.
        gflops: of the network alone.
        peak_mb: VmHWM of the row's process.
        others_share: of the cores, the most that other processes took in one of these rounds.
        discarded: rounds in which they took too much.
    """

    machine: str
    run: str
    model: str
    row: str
    column: str
    mirroring: bool | None
    precision: str
    seconds: list[float] = field(default_factory=list)
    median_s: float | None = None
    times_faster: MedianInterval | None = None
    labels_equal: float | None = None
    mean_iou: float | None = None
    network_runs: int | None = None
    gflops: float | None = None
    peak_mb: int | None = None
    others_share: float = 0.0
    discarded: int = 0
    skipped: str | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What a later run replaces."""
        return self.machine, self.model, self.row, self.column, self.mirroring


@dataclass(frozen=True)
class Place:
    """Where the cells of a column's rows go; as in Cell."""

    machine: str
    run: str
    model: Model
    column: str
    mirroring: bool | None

    def cell(self, row: str, timings: dict[str, Timings]) -> Cell:
        """The cell of a row's timings."""
        timing = timings[row]
        skipped = timing.skipped or (None if timing.seconds else "was not run")
        median_s = None if skipped else median(timing.seconds)
        alone = self.column in {TILE, TILES}
        return Cell(
            self.machine,
            self.run,
            self.model.key,
            row,
            self.column,
            self.mirroring,
            timing.precision,
            seconds=timing.seconds,
            median_s=median_s,
            times_faster=_times_faster(timings, row) if median_s else None,
            labels_equal=labels_equal(timings, row),
            network_runs=timing.network_runs,
            gflops=self.model.gigaflops_a_tile / median_s if alone and median_s else None,
            peak_mb=timing.peak_mb,
            others_share=timing.others_share,
            discarded=timing.discarded,
            skipped=skipped,
        )


def _times_faster(timings: dict[str, Timings], row: str) -> MedianInterval | None:
    reference = timings.get(REFERENCE)
    if row == REFERENCE or reference is None or not reference.seconds:
        return None
    return median_interval(
        [
            theirs / ours
            for theirs, ours in zip(reference.seconds, timings[row].seconds, strict=False)
        ]
    )


class Results:
    """The file of results."""

    def __init__(self, folder: Path = RESULTS):
        """Read what earlier runs left in a folder, latency.json."""
        self.path = path = folder / NAME
        known = json.loads(path.read_text()) if path.is_file() else {}
        self.runs: dict[str, dict[str, Any]] = known.get("runs", {})
        self.machines: dict[str, dict[str, Any]] = known.get("machines", {})
        self.models: dict[str, dict[str, Any]] = known.get("models", {})
        self._cells = {
            read.key: read for read in (_read_cell(values) for values in known.get("cells", []))
        }

    @property
    def cells(self) -> list[Cell]:
        """All of them."""
        return list(self._cells.values())

    def note_machine(self, name: str, unusable: dict[str, str], peaks: dict[str, Peak]) -> None:
        """What cannot be run there, and the best peaks that were ever seen."""
        best = dict(self.machines.get(name, {}).get("peaks", {}))
        for precision, peak in peaks.items():
            if precision not in best or peak["gflops"] > best[precision]["gflops"]:
                best[precision] = peak
        self.machines[name] = {"unusable": unusable, "peaks": best}

    def add(self, new: Cell) -> None:
        """Put a cell in, in the place of what an earlier run measured there.

        That stays if this run had no time for it.
        """
        if new.median_s is not None or new.key not in self._cells:
            self._cells[new.key] = new

    def save(self) -> None:
        """Write the file, without runs of which no cell is left."""
        self.path.parent.mkdir(exist_ok=True)
        used = {kept.run for kept in self.cells}
        self.runs = {key: run for key, run in self.runs.items() if key in used}
        report = {
            "runs": self.runs,
            "machines": self.machines,
            "models": self.models,
            "cells": [asdict(kept) for kept in self.cells],
        }
        self.path.write_text(json.dumps(report, indent=1) + "\n")


def _read_cell(values: dict[str, Any]) -> Cell:
    faster = values.pop("times_faster")
    return Cell(**values, times_faster=MedianInterval(**faster) if faster else None)
