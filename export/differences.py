"""Pictures of where labels differ from nnU-Net's, on its label map: no photo is shown."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from droneseg.plan import Label
from droneseg.segmentation import Segmentation
from export.proof import Comparison, Proof

BUNDLE_DIFFERS, STOCK_DIFFERS = (255, 255, 255), (255, 0, 144)
DIMMED = 0.35
MARK_PX = 5
MAX_SIDE_PX = 1200


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows."""

    file: str
    caption: str
    png: bytes


def draw_differences(proofs: Sequence[Proof], classes: tuple[Label, ...]) -> tuple[Picture, ...]:
    """A picture for each photo on which any label differs.

    Args:
        proofs: of each engine, on the same photos.
        classes: of the plan, for their colours.
    """
    pictures = []
    by_photo = zip(*(proof.comparisons for proof in proofs), strict=True)
    for number, comparisons in enumerate(by_photo, start=1):
        first = comparisons[0]
        ours = np.any([c.labels != c.reference for c in comparisons], axis=0)
        stock = first.stock != first.reference
        if ours.any() or stock.any():
            caption = (
                f"{first.check.image}: {np.count_nonzero(ours)} pixels by the bundle, "
                f"{np.count_nonzero(stock)} by nnU-Net itself"
            )
            png = _draw(first, ours, stock, classes)
            pictures.append(Picture(f"difference_{number}.png", caption, png))
    return tuple(pictures)


def _draw(
    comparison: Comparison,
    ours: NDArray[np.bool_],
    stock: NDArray[np.bool_],
    classes: tuple[Label, ...],
) -> bytes:
    colors = Segmentation(comparison.reference, classes).color()
    step = -(-max(ours.shape) // MAX_SIDE_PX)
    canvas = (colors[::step, ::step] * DIMMED).astype(np.uint8)
    for differs, color in ((stock, STOCK_DIFFERS), (ours, BUNDLE_DIFFERS)):
        canvas[_marks(differs, step)] = color
    buffer = io.BytesIO()
    Image.fromarray(canvas).quantize(64).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _marks(differs: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Pixels wide enough to be seen, on every step-th row and column."""
    mask = Image.fromarray(differs.astype(np.uint8) * 255)
    wide = mask.filter(ImageFilter.MaxFilter(MARK_PX * step | 1))
    return np.asarray(wide)[::step, ::step] > 0
