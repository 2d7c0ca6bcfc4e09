"""mIoU under other light, optics, cameras, heights and headings.

python -m benchmarks.robustness IMAGES --masks FOLDER writes benchmarks/results/robustness.*.
The masks are as benchmarks.iou takes them. The mask of a scaled or turned photo is the prediction
brought back to the photo's own size and heading, so that all are compared with the same pixels.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks import shifts
from benchmarks.iou import mean_iou, read_rgb
from benchmarks.machine import RESULTS, describe, signature, write_results
from benchmarks.plots import ACCENT, QUIET, figure, save
from benchmarks.shifts import Photo, Shift
from droneseg.bundle import DEFAULT_MODEL
from droneseg.mode import Mode
from droneseg.predictor import Predictor


def rotation(photo: Photo, quarters: float) -> Photo:
    """Turned to the left by quarters of a circle."""
    return np.ascontiguousarray(np.rot90(photo, int(quarters)))


# What each is called, what does nothing, and what is tried.
SERIES: dict[str, tuple[Shift, float, tuple[float, ...]]] = {
    "brightness (factor)": (shifts.brightness, 1, (0.4, 0.6, 0.8, 1.25, 1.6)),
    "blur (sigma in px)": (shifts.blur, 0, (0.5, 1, 2, 4)),
    "noise (sigma of 255)": (shifts.noise, 0, (5, 10, 20, 40)),
    "JPEG quality": (shifts.jpeg, 100, (75, 50, 25, 10)),
    "scale (factor)": (shifts.scale, 1, (0.5, 0.75, 1.5)),
    "rotation (quarters)": (rotation, 0, (1, 2, 3)),
}


def main() -> None:
    """Segment all photos under every shift."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=__doc__)
    parser.add_argument("images", type=Path, nargs="+", help="photos")
    parser.add_argument("--masks", type=Path, required=True, help="folder of NAME.png")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--mode", choices=get_args(Mode), default="exact")
    options = parser.parse_args()
    predictor = Predictor(options.model, mode=options.mode)
    photos = [read_rgb(path.read_bytes()) for path in options.images]
    masks = [options.masks / f"{path.stem}.png" for path in options.images]
    trials = 1 + sum(len(values) for _, _, values in SERIES.values())
    with tqdm(total=trials, unit="shift") as progress:

        def iou(shift: Shift, value: float) -> float:
            progress.update()
            return shifted_iou(predictor, photos, masks, shift, value)

        plain = iou(lambda photo, _: photo, 0)
        series = {
            name: sorted([(none, plain), *((value, iou(shift, value)) for value in values)])
            for name, (shift, none, values) in SERIES.items()
        }
    report = {
        "machine": describe(),
        "model": predictor.plan.name,
        "mode": options.mode,
        "photos": len(photos),
        "plain_miou": plain,
        "miou": series,
    }
    print(write_results("robustness", report, table(report)))
    plot(report, RESULTS / "robustness.png")


def shifted_iou(
    predictor: Predictor, photos: Sequence[Photo], masks: Sequence[Path], shift: Shift, value: float
) -> float:
    """The mIoU of photos that were shifted, over the pixels of the unshifted ones."""
    predictions = []
    for photo, segmentation in zip(
        photos, predictor.stream(shift(photo, value) for photo in photos), strict=True
    ):
        labels = segmentation.labels
        if shift is rotation:
            labels = np.rot90(labels, -int(value))
        if labels.shape != photo.shape[:2]:
            size = (photo.shape[1], photo.shape[0])
            labels = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
        predictions.append(labels)
    return mean_iou(predictions, masks, predictor.plan.labels)


def table(report: dict[str, Any]) -> str:
    """For people."""
    rows = "\n".join(
        f"| {name} | " + ", ".join(f"{value:g}: {iou:.3f}" for value, iou in points) + " |"
        for name, points in report["miou"].items()
    )
    return f"""Mean IoU of {report["model"]} (mode `{report["mode"]}`) on {report["photos"]} \
photos; {report["plain_miou"]:.3f} as they are.

| shift | mean IoU |
| --- | --- |
{rows}

{signature(report["machine"])}
"""


def plot(report: dict[str, Any], path: Path) -> None:
    """A panel for each shift."""
    sheet, axes = figure(2, 3, 2.2)
    top = 1.1 * max(iou for points in report["miou"].values() for _, iou in points)
    for panel, (name, points) in zip(axes, report["miou"].items(), strict=True):
        values = [f"{value:g}" for value, _ in points]
        panel.plot(values, [iou for _, iou in points], "o-", color=ACCENT)
        panel.axhline(report["plain_miou"], color=QUIET, linestyle="--", linewidth=1)
        panel.set_title(name)
        panel.set_ylim(0, top)
    axes[0].set_ylabel("mean IoU")
    axes[3].set_ylabel("mean IoU")
    save(sheet, path)


if __name__ == "__main__":
    main()
