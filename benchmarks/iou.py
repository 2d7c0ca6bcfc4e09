"""Per-class IoU of a running service: python -m benchmarks.iou IMAGES --masks FOLDER.

The masks are images in the colours of the model's classes. Pixels of any other colour are ignored,
and so are those of the background's colour: nnU-Net's class 0 stands for what nobody annotated.
"""

import argparse
import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from droneseg.bundle import DEFAULT_MODEL
from droneseg.masks import IGNORED, class_ids
from droneseg.plan import InferencePlan, Label


def main() -> None:
    """Post every photo, compare the colour mask, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.iou", description=__doc__)
    parser.add_argument("images", type=Path, nargs="+", help="photos")
    parser.add_argument("--masks", type=Path, required=True, help="folder of NAME.png")
    parser.add_argument("--url", default="http://localhost:3000", help="default: %(default)s")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    options = parser.parse_args()
    labels = InferencePlan.load(options.model / "plan.json").labels
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for photo in tqdm(options.images, unit="photo"):
        predicted = class_ids(read_rgb(post(options.url, photo)), labels)
        confusion += confused(predicted, options.masks / f"{photo.stem}.png", labels)
    print("\n".join(report(confusion, labels)))


def post(url: str, photo: Path) -> bytes:
    """The colour mask of a photo, as PNG bytes."""
    response = httpx.post(
        f"{url}/predict", files={"data": (photo.name, photo.read_bytes())}, timeout=300
    )
    response.raise_for_status()
    return base64.b64decode(response.json()["segmentation_mask"])


def read_rgb(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a PNG, uint8 [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def confused(
    predicted: NDArray[np.uint8], mask: Path, labels: tuple[Label, ...]
) -> NDArray[np.int64]:
    """Pixels by the class of the mask, a file, and by the predicted one: [K, K]."""
    truth = class_ids(read_rgb(mask.read_bytes()), labels[1:])
    counted = truth != IGNORED
    pairs = truth[counted].astype(np.int64) * len(labels) + predicted[counted]
    return np.bincount(pairs, minlength=len(labels) ** 2).reshape(len(labels), len(labels))


def mean_iou(
    predictions: Sequence[NDArray[np.uint8]], masks: Sequence[Path], labels: tuple[Label, ...]
) -> float:
    """The mean over the classes that the masks have, of all photos together."""
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for predicted, mask in zip(predictions, masks, strict=True):
        confusion += confused(predicted, mask, labels)
    ious, annotated = _ious(confusion)
    return float(ious[annotated].mean())


def _ious(confusion: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of each class, and whether the masks have it."""
    hits = confusion.diagonal()
    unions = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    return hits / np.maximum(unions, 1), confusion.sum(axis=1) > 0


def report(confusion: NDArray[np.int64], labels: tuple[Label, ...]) -> Iterator[str]:
    """A Markdown table; classes that the masks do not have are left out."""
    yield "| class | IoU |\n| --- | --- |"
    ious, annotated = _ious(confusion)
    for label in labels:
        if annotated[label.id]:
            yield f"| {label.name} | {ious[label.id]:.3f} |"
    yield f"| mean | {ious[annotated].mean():.3f} |"
    yield f"\nAccuracy {confusion.diagonal().sum() / confusion.sum():.3f}"


if __name__ == "__main__":
    main()
