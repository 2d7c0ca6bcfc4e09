"""Whole photos, RGB array to label map: Predictor against nnUNetPredictor, in one interleaved run.

python -m benchmarks.latency [--trained-folder FOLDER] writes benchmarks/results/latency.{json,md}.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.machine import RESULTS, describe
from benchmarks.random_model import TrainedFolder
from droneseg.bundle import DEFAULT_MODEL, Bundle
from droneseg.engines.onnxruntime import OnnxRuntimeEngine
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export.ensemble import inference_plan
from export.onnx_model import FoldMean, write_onnx
from export.reference import Reference
from export.trained_model import TrainedModel

# nnU-Net's default 2D plan for photos of about 736 x 960 px: 46 million parameters.
DEFAULT_PLAN = TrainedFolder(
    patch_size=(768, 1024), features=(32, 64, 128, 256, 512, 512, 512, 512)
)


@dataclass(frozen=True)
class Case:
    """A model and the photo size to run it on."""

    name: str
    height: int
    width: int
    predictor: Predictor
    reference: Reference


@dataclass(frozen=True)
class Result:
    """Medians over the repeats; `ratio` is the median of the ratios of neighbouring runs."""

    name: str
    height: int
    width: int
    engine: str
    nnunet_s: float
    droneseg_s: float
    ratio: float
    ratio_min: float
    ratio_max: float
    labels_equal: float


def main() -> None:
    """Run the cases and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument(
        "--trained-folder", type=Path, help="the nnU-Net folder that the bundle was made from"
    )
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        cases = [default_plan(Path(folder))]
        if options.trained_folder:
            cases.append(bundle_case(options.model, options.trained_folder))
        results = [measure(case, options.repeats) for case in cases]
    write({"machine": machine, "results": [asdict(result) for result in results]})
    print((RESULTS / "latency.md").read_text())


def bundle_case(model: Path, trained_folder: Path) -> Case:
    """A bundle and the trained folder that it was made from, on a photo of 3 megapixels."""
    reference = Reference(TrainedModel.load(trained_folder))
    return Case(model.name, 1500, 2000, Predictor(model), reference)


def default_plan(folder: Path) -> Case:
    """nnU-Net's default plan with random weights, on a photo that one window covers."""
    model = TrainedModel.load(DEFAULT_PLAN.write(folder / "trained"))
    plan = inference_plan([model], "default_plan", {})
    network = FoldMean(model.networks()).eval()
    write_onnx(network, plan, plan.members[0], folder / plan.members[0].model)
    engine = OnnxRuntimeEngine(folder / plan.members[0].model)
    predictor = Predictor(Bundle(folder, plan), engine=[engine])
    return Case("nnU-Net's default plan", 736, 960, predictor, Reference(model))


def measure(case: Case, repeats: int) -> Result:
    """Time both in turn, after one run of each that warms up and compares."""
    photo = draw_scene(case.height, case.width, seed=0)
    ours = case.predictor.segment([photo])[0].labels
    theirs = case.reference.predict(photo, float32=False).labels
    pairs = [
        (
            seconds(lambda: case.predictor.segment([photo])),
            seconds(lambda: case.reference.predict(photo, float32=False)),
        )
        for _ in tqdm(range(repeats), desc=case.name, unit="pair")
    ]
    ratios = [nnunet / droneseg for droneseg, nnunet in pairs]
    return Result(
        case.name,
        case.height,
        case.width,
        case.predictor.engines[0].name,
        nnunet_s=median(nnunet for _, nnunet in pairs),
        droneseg_s=median(droneseg for droneseg, _ in pairs),
        ratio=median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        labels_equal=float(np.mean(ours == theirs)),
    )


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def write(report: dict[str, Any]) -> None:
    """Write the report for machines and for people."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latency.json").write_text(json.dumps(report, indent=2) + "\n")
    machine = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        "| model | photo | nnUNetPredictor | DroneSeg | times faster | labels equal |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {r['name']} | {r['height']} x {r['width']} | {r['nnunet_s']:.1f} s "
            f"| {r['droneseg_s']:.1f} s ({r['engine']}) "
            f"| {r['ratio']:.2f} ({r['ratio_min']:.2f} to {r['ratio_max']:.2f}) "
            f"| {r['labels_equal']:.3%} |"
            for r in report["results"]
        ),
        "",
        f"{machine['processor']}, {machine['cores']} cores; Python {machine['python']}, "
        f"{versions}; "
        f"commit {machine['commit']}, {machine['date']}.",
    ]
    (RESULTS / "latency.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
