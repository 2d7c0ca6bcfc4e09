"""Outcome: what becomes of the logits of one image as its rows are completed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from droneseg.arrays import to_numpy
from droneseg.label_manager import LabelManager
from droneseg.plan import InferencePlan, Label
from droneseg.preprocess import Box
from droneseg.segmentation import Segmentation

# Every so many rows and columns take part in the confidence.
CONFIDENCE_STRIDE_PX = 8
UINT8_MAX = 255


class Outcome:
    """Labels, and if wanted probabilities and confidence, of which no logits have to be kept.

    Rows outside of the non-zero crop are background, as nnU-Net's revert_cropping has it.
    """

    def __init__(
        self,
        plan: InferencePlan,
        image_shape: tuple[int, int],
        box: Box,
        *,
        probabilities: bool = False,
        confidence: bool = False,
    ):
        """Allocate an image of background.

        Args:
            plan: of the model.
            image_shape: height and width in px.
            box: the crop that rows belong to.
            probabilities: keep them, a byte for each head and pixel.
            confidence: take its mean.
        """
        self._classes: tuple[Label, ...] = plan.labels
        self._label_manager = LabelManager(plan.regions)
        self._all_labels = np.zeros(image_shape, np.uint8)
        self._labels = self._all_labels[box.slices]
        self._all_probabilities: NDArray[np.uint8] | None = None
        if probabilities:
            self._all_probabilities = np.zeros(
                (plan.num_segmentation_heads, *image_shape), np.uint8
            )
            if not plan.regions:
                self._all_probabilities[0] = UINT8_MAX
            self._probabilities = self._all_probabilities[:, *box.slices]
        self._wants_confidence = confidence
        self._confidences: list[NDArray[np.float32]] = []
        # What is still on a device, and where it belongs: fetched at the end, as each waits for it.
        self._waiting: list[tuple[NDArray[np.uint8], Any]] = []

    @property
    def segmentation(self) -> Segmentation:
        """The result, once all rows are in."""
        for target, values in self._waiting:
            target[...] = to_numpy(values)
        self._waiting.clear()
        confidences = [to_numpy(values) for values in self._confidences]
        mean = float(np.concatenate(confidences).mean()) if confidences else None
        return Segmentation(self._all_labels, self._classes, self._all_probabilities, mean)

    def write_logits(self, rows: slice, logits: NDArray[np.float32]) -> None:
        """Take rows of the crop, float32 [K, rows, w]."""
        labels = self._label_manager.convert_logits_to_segmentation(logits)
        self._put(self._labels[rows], labels)
        if self._all_probabilities is not None:
            self._keep(rows, self._label_manager.apply_inference_nonlin(logits))
        if self._wants_confidence:
            sampled = logits[:, _grid_rows(rows), ::CONFIDENCE_STRIDE_PX]
            if sampled.size:
                self._sample(self._label_manager.apply_inference_nonlin(sampled))

    def write_probabilities(self, rows: slice, probabilities: NDArray[np.float32]) -> None:
        """Take rows of the crop whose probabilities are known already, float32 [K, rows, w]."""
        labels = self._label_manager.convert_probabilities_to_segmentation(probabilities)
        self._put(self._labels[rows], labels)
        if self._all_probabilities is not None:
            self._keep(rows, probabilities)
        if self._wants_confidence:
            sampled = probabilities[:, _grid_rows(rows), ::CONFIDENCE_STRIDE_PX]
            if sampled.size:
                self._sample(sampled)

    def _keep(self, rows: slice, probabilities: NDArray[np.float32]) -> None:
        scaled = np.rint(probabilities * np.float32(UINT8_MAX)).astype(np.uint8)
        self._put(self._probabilities[:, rows], scaled)

    def _sample(self, probabilities: NDArray[np.float32]) -> None:
        """The probability of the chosen class; of regions the mean probability of being right."""
        self._confidences.append(self._label_manager.confidence(probabilities).reshape(-1))

    def _put(self, target: NDArray[np.uint8], values: NDArray[np.uint8]) -> None:
        if isinstance(values, np.ndarray):
            target[...] = values
        else:
            self._waiting.append((target, values))


def _grid_rows(rows: slice) -> slice:
    """The rows of a band, counted from its first, that lie on the grid of the crop."""
    return slice(-rows.start % CONFIDENCE_STRIDE_PX, None, CONFIDENCE_STRIDE_PX)
