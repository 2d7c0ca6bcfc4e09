"""Nanoseconds a pixel of each stage around the network, on one core: python -m benchmarks.stages.

The engine gives the logits of a probe tile again and again, and its time is taken out: what is left
is decoding, preprocessing, cutting, mirroring, stitching, argmax and encoding. Writes
benchmarks/results/stages.{json,md}.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import droneseg.image_run
from benchmarks.machine import describe, signature, write_results
from benchmarks.photos import jpeg, large_scene
from benchmarks.stopwatch import Stopwatch
from droneseg.bundle import DEFAULT_MODEL, Bundle
from droneseg.images import decode_image
from droneseg.label_manager import LabelManager
from droneseg.mirroring import MirroredNetwork
from droneseg.mode import Mode, Precision
from droneseg.predictor import Predictor
from droneseg.segmentation import Segmentation
from droneseg.tiling import Stitcher, Tiling

SIZES = ((1500, 2000), (3000, 4000))
MODES: tuple[Mode, ...] = ("exact", "fast")
# Where each stage is entered; a stage's time is without that of those it calls.
STAGES: dict[str, tuple[object, str]] = {
    "preprocess": (droneseg.image_run, "preprocess"),
    "cut": (Tiling, "cut"),
    "mirror": (MirroredNetwork, "run"),
    "stitch": (Stitcher, "add"),
    "argmax": (LabelManager, "convert_logits_to_segmentation"),
}
NETWORK = "network"
ENCODERS: dict[str, Callable[[Segmentation], bytes]] = {
    "encode labels": Segmentation.palette_png,
    "encode color": Segmentation.color_png,
}


class ReplayEngine:
    """Writes the logits of a probe tile, at the speed of a copy; mirrors, as winograd does."""

    name = "replay"
    precision: Precision = "fp32"
    xp = np

    def __init__(self, bundle: Bundle, tiles: int, stopwatch: Stopwatch):
        """Take the probe's logits to the size of a tile.

        Args:
            bundle: with probes.
            tiles: of a batch.
            stopwatch: gets the time of the copies.
        """
        height, width = bundle.plan.members[0].patch_size
        probes = bundle.probes(0)
        logits = probes.logits[0].repeat(probes.stride, 1).repeat(probes.stride, 2)
        self._logits = np.ascontiguousarray(logits[:, :height, :width], np.float32)
        self.batch_pixels = tiles * height * width
        self._stopwatch = stopwatch

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the same logits [K, H, W] for each tile."""
        del tiles
        with self._stopwatch.running(NETWORK):
            out[...] = self._logits

    def add_mirrored(
        self, tiles: NDArray[np.float32], out: NDArray[np.float32], axes: Sequence[int]
    ) -> None:
        """Add the same logits for each mirror image."""
        del tiles, axes
        with self._stopwatch.running(NETWORK):
            out += self._logits


def main() -> None:
    """Measure every size and mode, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--batch-size", type=int, default=1, help="tiles (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    bundle = Bundle.load(options.model)
    report: dict[str, Any] = {
        "machine": describe(),
        "model": bundle.plan.name,
        "classes": bundle.plan.num_segmentation_heads,
        "batch_size": options.batch_size,
        "repeats": options.repeats,
        "rows": [],
    }
    with one_core():
        for height, width in SIZES:
            for mode in MODES:
                stages = measure(bundle, mode, (height, width), options.batch_size, options.repeats)
                row = {"height": height, "width": width, "mode": mode, "ns_a_pixel": stages}
                report["rows"].append(row)
    print(write_results("stages", report, table(report)))


@contextmanager
def one_core() -> Iterator[None]:
    """Run on one core, where the system can be told so."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(
    bundle: Bundle, mode: Mode, size: tuple[int, int], batch_size: int, repeats: int
) -> dict[str, float]:
    """Medians of the stages' nanoseconds a pixel; `sum` is all but the network and the codecs."""
    stopwatch = Stopwatch()
    engine = ReplayEngine(bundle, batch_size, stopwatch)
    predictor = Predictor(bundle, mode=mode, engine=[engine], batch_size=batch_size)
    photo = jpeg(large_scene(*size))
    runs: list[dict[str, float]] = []
    for _ in tqdm(range(repeats + 1), desc=f"{mode} {size[0]} x {size[1]}", unit="run"):
        stopwatch.reset()
        runs.append(one_run(predictor, photo, stopwatch))
    # The first one warms up.
    pixels = size[0] * size[1]
    return {stage: median(run[stage] for run in runs[1:]) * 1e9 / pixels for stage in runs[0]}


def one_run(predictor: Predictor, photo: bytes, stopwatch: Stopwatch) -> dict[str, float]:
    """Seconds of each stage for one photo."""
    seconds: dict[str, float] = {}
    with timed(seconds, "decode"):
        image = decode_image(photo)
    with timed(seconds, "whole"), stages_watched(stopwatch):
        (segmentation,) = predictor.segment([image])
    for stage in STAGES:
        seconds[stage] = stopwatch.seconds[stage]
    seconds["sum"] = seconds.pop("whole") - stopwatch.seconds[NETWORK]
    seconds["other"] = seconds["sum"] - sum(stopwatch.seconds[stage] for stage in STAGES)
    for name, encode in ENCODERS.items():
        with timed(seconds, name):
            encode(segmentation)
    return seconds


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a block takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


@contextmanager
def stages_watched(stopwatch: Stopwatch) -> Iterator[None]:
    """Let the stopwatch see every stage of the pipeline."""
    with ExitStack() as stack:
        for stage, (owner, name) in STAGES.items():
            watched = stopwatch.watched(stage, getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, watched))
        yield


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    columns = ["decode", *STAGES, "other", "sum", *ENCODERS]
    lines = [
        f"| photo | mode | {' | '.join(columns)} |",
        "| --- " * (len(columns) + 2) + "|",
        *(
            f"| {row['height']} x {row['width']} | {row['mode']} | "
            + " | ".join(f"{row['ns_a_pixel'][column]:.1f}" for column in columns)
            + " |"
            for row in report["rows"]
        ),
        "",
        "Nanoseconds a pixel on one core, without the network, which adds up mirror images by "
        "itself as the winograd engine does; `sum` is everything between decoding and encoding. "
        f"{report['classes']} classes, batches of {report['batch_size']}, "
        f"medians of {report['repeats']}. {signature(report['machine'])}",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
