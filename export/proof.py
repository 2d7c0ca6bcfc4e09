"""The proof: nnU-Net's predictor and ours on the same photos, and the bars between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from droneseg.plan import ImageCheck, Verification
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export.errors import ProofFailed
from export.reference import Prediction, Reference

# Against float32 accumulators: share of equal labels over all photos, and logits of each photo.
MIN_AGREEMENT = 0.99999
MAX_LOGIT_ERROR = 1e-4
# Against nnU-Net as it is: what its float16 accumulators change by themselves, and this much more.
STOCK_SLACK = 2e-5

VERSIONED = ("droneseg", "nnunetv2", "torch", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Photo:
    """A photo to prove on, uint8 [H, W, 3], and what to call it."""

    name: str
    pixels: NDArray[np.uint8]


def drawn_photos(patch_size: tuple[int, int]) -> list[Photo]:
    """Photos that meet every path of the sliding window for this patch size."""
    height, width = patch_size
    bordered = draw_scene(int(1.3 * height), int(1.2 * width), seed=3)
    bordered[: height // 5] = 0
    bordered[:, -width // 7 :] = 0
    return [
        Photo("smaller than the patch", draw_scene(int(0.7 * height), int(0.8 * width), seed=1)),
        Photo("many windows, odd size", draw_scene(2 * height + 33, 2 * width - 17, seed=2)),
        Photo("black borders", bordered),
    ]


def prove(
    predictor: Predictor,
    reference: Reference,
    photos: Sequence[Photo],
    done: Callable[[], object] = lambda: None,
) -> Verification:
    """Compare on every photo.

    Args:
        predictor: ours.
        reference: nnU-Net's.
        photos: at least one.
        done: called after each photo.

    Raises:
        ProofFailed: a bar is missed; the message says on which photo and where.
    """
    checks = []
    differences = {}
    for photo in photos:
        check, differences[photo.name] = _check(photo, predictor, reference)
        checks.append(check)
        done()
    worst = min(checks, key=lambda check: check.agreement_reference)
    _require_agreement(checks, f"most in '{worst.image}': {differences[worst.image]}")
    versions = {name: version(name) for name in VERSIONED}
    return Verification(predictor.engine.name, versions, tuple(checks))


def _check(photo: Photo, predictor: Predictor, reference: Reference) -> tuple[ImageCheck, str]:
    """The figures of one photo, and in words where its labels differ."""
    expected = reference.predict(photo.pixels, float32=True)
    stock = reference.predict(photo.pixels, float32=False)
    (ours,) = predictor.segment([photo.pixels])
    logit_error = relative_error(predictor.logits(photo.pixels), expected.logits)
    check = ImageCheck(
        image=photo.name,
        height=photo.pixels.shape[0],
        width=photo.pixels.shape[1],
        agreement_reference=agreement(ours.labels, expected.labels),
        agreement_stock=agreement(ours.labels, stock.labels),
        agreement_reference_stock=agreement(expected.labels, stock.labels),
        logit_error=logit_error,
    )
    where = _where(ours.labels, expected)
    if not logit_error <= MAX_LOGIT_ERROR:
        raise ProofFailed(
            f"'{photo.name}': logits differ by {logit_error:.1e} of the largest, at most "
            f"{MAX_LOGIT_ERROR:.0e} is allowed; {where}"
        )
    return check, where


def _require_agreement(checks: Sequence[ImageCheck], where: str) -> None:
    pixels = np.array([check.height * check.width for check in checks])

    def mean(shares: list[float]) -> float:
        return float(np.average(shares, weights=pixels))

    agreed = mean([check.agreement_reference for check in checks])
    stock = mean([check.agreement_stock for check in checks])
    itself = mean([check.agreement_reference_stock for check in checks])
    if agreed < MIN_AGREEMENT:
        raise ProofFailed(
            f"{1 - agreed:.4%} of the labels differ from nnU-Net's with float32 accumulators, at "
            f"most {1 - MIN_AGREEMENT:.4%} is allowed; {where}"
        )
    if stock < itself - STOCK_SLACK:
        raise ProofFailed(
            f"{1 - stock:.4%} of the labels differ from nnU-Net's, whose float16 accumulators "
            f"explain {1 - itself:.4%}; at most {STOCK_SLACK:.4%} more is allowed; {where}"
        )


def agreement(labels: NDArray[np.uint8], others: NDArray[np.uint8]) -> float:
    """The share of pixels with the same label."""
    return float(np.mean(labels == others))


def relative_error(logits: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """The largest difference over the largest expected magnitude; infinite for other shapes."""
    if logits.shape != expected.shape:
        return float("inf")
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


def _where(labels: NDArray[np.uint8], expected: Prediction) -> str:
    """Which pixels differ, for the message."""
    rows, columns = np.nonzero(labels != expected.labels)
    if not rows.size:
        return "no label differs"
    row, column = rows[0], columns[0]
    return (
        f"{rows.size} labels differ, in rows {rows.min()} to {rows.max()} and columns "
        f"{columns.min()} to {columns.max()}; at ({row}, {column}) nnU-Net says "
        f"{expected.labels[row, column]} and the bundle {labels[row, column]}"
    )
