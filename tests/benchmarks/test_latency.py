"""The benchmark of latencies on a tiny model, and its arithmetic."""

import json
import subprocess
import sys
from dataclasses import replace
from math import isclose
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.latency.flops import gigaflops_a_tile
from benchmarks.latency.interval import median_interval
from benchmarks.latency.results import Cell, Results
from benchmarks.latency.rounds import rounds_that_count
from droneseg.bundle import Bundle
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from export.trained_model import TrainedModel


@pytest.mark.parametrize(
    ("count", "low", "high", "confidence"),
    [(1, 0, 0, 0.0), (3, 0, 2, 0.75), (6, 0, 5, 0.96875), (9, 1, 7, 0.9609375)],
)
def test_the_interval_of_a_median_is_that_of_the_sign_test(
    count: int, low: float, high: float, confidence: float
) -> None:
    """Figures of the binomial distribution, such as 1 - 2 * (1 + 9) / 2**9."""
    interval = median_interval([float(value) for value in reversed(range(count))])
    assert (interval.low, interval.high) == (low, high)
    assert isclose(interval.confidence, confidence)


@pytest.mark.parametrize(
    ("shares", "kept"),
    [
        ([0.3], [0]),
        ([0, 0, 0.3, 0.01], [1, 3]),
        ([0, 0.3], [0]),
        ([0.3, 0], [1]),
        ([0.3, 0.2], [1]),
    ],
)
def test_quiet_rounds_count_and_the_first_only_if_it_must(
    shares: list[float], kept: list[int]
) -> None:
    assert rounds_that_count(shares) == kept


def test_operations_are_those_that_pytorch_counts(one_axis: Path, one_axis_bundle: Bundle) -> None:
    (network,) = TrainedModel.load(one_axis).networks()
    member = one_axis_bundle.plan.members[0]
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.zeros(1, len(member.channels), *member.patch_size))
    counted = gigaflops_a_tile(one_axis_bundle.model_path()) * 1e9
    assert round(counted) == counter.get_total_flops()


def test_a_later_run_replaces_the_cells_that_it_measured(tmp_path: Path) -> None:
    old = Cell("here", "first", "bundle", "nnunet", "tile", None, "fp32", [2.0], 2.0)
    results = Results(tmp_path)
    results.runs = {"first": {}, "second": {}}
    for cell in (old, replace(old, column="tiles"), replace(old, machine="there")):
        results.add(cell)
    results.add(replace(old, run="second", median_s=1.0))
    results.add(replace(old, run="third", median_s=None, skipped="would take about 900 s"))
    results.save()
    again = {(cell.machine, cell.column): cell for cell in Results(tmp_path).cells}
    assert len(again) == 3
    assert again["here", "tile"].median_s == 1.0
    assert again["here", "tiles"].run == "first"
    assert Results(tmp_path).runs.keys() == {"first", "second"}


def test_rows_are_measured_and_compared(
    one_axis: Path, one_axis_bundle: Bundle, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "benchmarks.latency", "--output", str(tmp_path)]
    command += ["--model", str(one_axis_bundle.path), "--trained-folder", str(one_axis)]
    command += ["--models", "bundle", "--rows", "onnxruntime", "tensorrt-fp16"]
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode_png(draw_scene(80, 70, seed=3)))
    command += ["--columns", "tiles", "--photos", str(photo)]
    command += ["--mirroring", "on", "--repeats", "1"]
    subprocess.run(command, check=True)
    report = json.loads((tmp_path / "latency.json").read_text())
    cells = {(cell["row"], cell["column"]): cell for cell in report["cells"]}
    assert cells.keys() == {
        (row, column) for row in ("nnunet", "onnxruntime") for column in ("tiles", "photos")
    }
    ours = cells["onnxruntime", "photos"]
    assert ours["labels_equal"] > 0.999
    assert ours["times_faster"]["low"] <= ours["times_faster"]["median"]
    assert ours["network_runs"] == cells["nnunet", "photos"]["network_runs"] > 1
    assert 0 <= ours["others_share"] <= 1
    assert ours["peak_mb"] < cells["nnunet", "photos"]["peak_mb"]
    (machine,) = report["machines"].values()
    assert machine["peaks"]["fp32"]["gflops"] > 0
    assert "tensorrt-fp16" in machine["unusable"]
    assert (tmp_path / "latency.png").stat().st_size > 1000
    assert "ONNX Runtime CPU" in (tmp_path / "latency.md").read_text()
