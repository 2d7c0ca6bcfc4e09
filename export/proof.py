"""The proof: nnU-Net's predictor and ours on the same photos, and the bars between them."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from droneseg.machine import available_cores, processor
from droneseg.plan import Label
from droneseg.predictor import Predictor
from droneseg.verification import ImageCheck, Verification
from export.errors import ProofFailed
from export.photos import Photo
from export.reference import Prediction, Reference

# Against float32 accumulators: the share of equal labels over all photos, where one pixel may
# always differ, and the logits of each photo.
MIN_AGREEMENT = 0.99999
MAX_LOGIT_ERROR = 1e-4
# Against nnU-Net as it is: what its float16 accumulators change by themselves, and this much more.
STOCK_SLACK = 2e-5

VERSIONED = ("droneseg", "nnunetv2", "torch", "onnxruntime", "openvino", "numpy")

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Comparison:
    """One photo, segmented by one engine and by nnU-Net.

    Attributes:
        labels: ours, uint8 [H, W].
        reference: nnU-Net's with float32 accumulators.
        stock: nnU-Net's as it is.
    """

    check: ImageCheck
    labels: Labels
    reference: Labels
    stock: Labels


@dataclass(frozen=True)
class Proof:
    """All photos, segmented by one engine."""

    engine: str
    comparisons: tuple[Comparison, ...]

    @cached_property
    def failure(self) -> str | None:
        """Which bar was missed, on which photo and where; None if every bar was met."""
        for comparison in self.comparisons:
            check = comparison.check
            if not check.logit_error <= MAX_LOGIT_ERROR:
                return (
                    f"{self.engine}, '{check.image}': logits differ by {check.logit_error:.1e} of "
                    f"the largest, at most {MAX_LOGIT_ERROR:.0e} is allowed; {_where(comparison)}"
                )
        return self._disagreement()

    def require(self) -> None:
        """Raise ProofFailed if a bar was missed."""
        if self.failure:
            raise ProofFailed(self.failure)

    def verification(self) -> Verification:
        """The figures."""
        return Verification(
            engine=self.engine,
            versions=_versions(),
            machine=f"{processor()}, {available_cores()} cores, Python {platform.python_version()}",
            passed=self.failure is None,
            checks=tuple(comparison.check for comparison in self.comparisons),
        )

    def _disagreement(self) -> str | None:
        checks = [comparison.check for comparison in self.comparisons]
        pixels = [check.height * check.width for check in checks]
        # A near-tie on a small photo is no sign of a mistake.
        one_px = 1.5 / sum(pixels)
        differing, from_stock, stock_itself = (
            1 - float(np.average([getattr(check, field) for check in checks], weights=pixels))
            for field in ("agreement_reference", "agreement_stock", "agreement_reference_stock")
        )
        worst = max(self.comparisons, key=lambda comparison: comparison.check.differing_px)
        where = f"most in '{worst.check.image}': {_where(worst)}"
        if differing > max(1 - MIN_AGREEMENT, one_px):
            return (
                f"{self.engine}: {differing:.4%} of the labels differ from nnU-Net's with float32 "
                f"accumulators, at most {1 - MIN_AGREEMENT:.4%} is allowed; {where}"
            )
        if from_stock > stock_itself + max(STOCK_SLACK, one_px):
            return (
                f"{self.engine}: {from_stock:.4%} of the labels differ from nnU-Net's, whose "
                f"float16 accumulators explain {stock_itself:.4%}; at most {STOCK_SLACK:.4%} more "
                f"is allowed; {where}"
            )
        return None


def prove(
    predictors: Sequence[Predictor],
    reference: Reference,
    photos: Sequence[Photo],
    done: Callable[[], object] = lambda: None,
) -> list[Proof]:
    """Compare on every photo.

    Args:
        predictors: ours, one for each engine.
        reference: nnU-Net's.
        photos: at least one.
        done: called after each photo.
    """
    comparisons: list[list[Comparison]] = [[] for _ in predictors]
    for photo in photos:
        expected = reference.predict(photo.pixels, float32=True)
        stock = reference.predict(photo.pixels, float32=False)
        for predictor, compared in zip(predictors, comparisons, strict=True):
            compared.append(_compare(photo, predictor, expected, stock.labels))
        done()
    return [
        Proof(predictor.engines[0].name, tuple(compared))
        for predictor, compared in zip(predictors, comparisons, strict=True)
    ]


def _compare(photo: Photo, predictor: Predictor, expected: Prediction, stock: Labels) -> Comparison:
    trace = predictor.trace(photo.pixels)
    labels = trace.segmentation.labels
    errors = [
        relative_error(ours, theirs)
        for ours, theirs in zip(trace.logits, expected.logits, strict=True)
    ]
    check = ImageCheck(
        image=photo.name,
        height=photo.pixels.shape[0],
        width=photo.pixels.shape[1],
        agreement_reference=agreement(labels, expected.labels),
        agreement_stock=agreement(labels, stock),
        agreement_reference_stock=agreement(expected.labels, stock),
        differing_px=int(np.count_nonzero(labels != expected.labels)),
        # NaN must not hide behind another member's error.
        logit_error=float(np.max(errors)),
        dice=dice(labels, expected.labels, predictor.plan.labels),
    )
    return Comparison(check, labels, expected.labels, stock)


def agreement(labels: Labels, others: Labels) -> float:
    """The share of pixels with the same label."""
    return float(np.mean(labels == others))


def relative_error(logits: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """The largest difference over the largest expected magnitude; infinite for other shapes."""
    if logits.shape != expected.shape:
        return float("inf")
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


def dice(labels: Labels, others: Labels, classes: Sequence[Label]) -> dict[str, float]:
    """Dice of each class that occurs in either, by its name."""
    result = {}
    for label in classes:
        ours, theirs = labels == label.id, others == label.id
        total = np.count_nonzero(ours) + np.count_nonzero(theirs)
        if total:
            result[label.name] = float(2 * np.count_nonzero(ours & theirs) / total)
    return result


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _where(comparison: Comparison) -> str:
    """Which pixels differ, for the message."""
    labels, reference = comparison.labels, comparison.reference
    rows, columns = np.nonzero(labels != reference)
    if not rows.size:
        return "no label differs"
    row, column = rows[0], columns[0]
    return (
        f"{rows.size} labels differ, in rows {rows.min()} to {rows.max()} and columns "
        f"{columns.min()} to {columns.max()}; at ({row}, {column}) nnU-Net says "
        f"{reference[row, column]} and the bundle {labels[row, column]}"
    )
