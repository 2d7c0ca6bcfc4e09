"""Our service and what teams write by hand, under the same load.

python -m benchmarks.serving --trained-folder FOLDER

The load comes from a process of its own, bound to the last core. The servers may use all cores, as
the Predictor without a server does, whose rate they are held against; what the generator takes away
from them is in the results. A run of some parts leaves the others in
benchmarks/results/serving.json.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, describe
from benchmarks.serving.comparison import Comparison, without_latencies
from benchmarks.serving.report import write_report
from droneseg.bundle import DEFAULT_MODEL

PARTS = ("closed", "open", "overhead", "mixed", "batching")


def main() -> None:
    """Measure what was chosen, and write the results after each part."""
    options = parse()
    machine = describe()
    path = options.output / "serving.json"
    report: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        measures = parts(options, Path(folder), report)
        for name in PARTS:
            if name in options.parts:
                part = without_latencies(measures[name]())
                report[name] = {"machine": machine, "model": options.model.name, **part}
                path.parent.mkdir(exist_ok=True)
                path.write_text(json.dumps(report, indent=1) + "\n")
    print(write_report(report, options.output))


def parts(
    options: argparse.Namespace, folder: Path, report: dict[str, Any]
) -> dict[str, Callable[[], dict[str, Any]]]:
    """How each part is measured; the open loop needs the rates of the closed one."""
    # PyTorch, which only random networks need.
    from benchmarks.bundles import write_bundle
    from benchmarks.serving.mixed import SMALL_NETWORK, batching, mixed
    from benchmarks.serving.overhead import overhead

    comparison = Comparison(
        options.model, options.trained_folder, folder / "photos", options.seconds
    )

    def small() -> Path:
        bundle = folder / "small_random"
        return bundle if bundle.is_dir() else write_bundle(SMALL_NETWORK, folder, bundle.name).path

    return {
        "closed": lambda: comparison.closed(options.rounds),
        "open": lambda: comparison.open(report["closed"]),
        "overhead": overhead,
        "mixed": lambda: mixed(small()),
        "batching": lambda: batching(small()),
    }


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", type=Path, default=DEFAULT_MODEL, help="the bundle (default: %(default)s)")
    add("--trained-folder", type=Path, help="the nnU-Net folder that the bundle was made from")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    add("--rounds", type=int, default=2, help="of the closed loop (default: %(default)s)")
    add("--seconds", type=float, default=30, help="of a load, about (default: %(default)s)")
    add("--output", type=Path, default=RESULTS, help="where results go (default: %(default)s)")
    return parser.parse_args()
