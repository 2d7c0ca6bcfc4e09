"""ProbabilityMean: labels of an ensemble, from the mean of its members' probabilities."""

import numpy as np
from numpy.typing import NDArray

from droneseg.label_manager import LabelManager


class ProbabilityMean:
    """Averages probabilities and labels each row once all members have said theirs.

    Matches nnunetv2's ensemble_folders, which averages whole images of every member. Members come
    row by row and about as far as each other, so that few rows wait.
    """

    def __init__(self, label_manager: LabelManager, members: int, labels: NDArray[np.uint8]):
        """Start with no row.

        Args:
            label_manager: makes probabilities of logits, and labels of probabilities.
            members: how many.
            labels: uint8 [h, w], filled in as rows complete.
        """
        self._label_manager = label_manager
        self._members = members
        self._labels = labels
        self._waiting: dict[int, dict[int, NDArray[np.float32]]] = {}

    def add(self, member: int, rows: slice, logits: NDArray[np.float32]) -> None:
        """Take a member's logits of some rows, float32 [K, rows, w]."""
        probabilities = self._label_manager.apply_inference_nonlin(logits)
        for row, values in enumerate(np.moveaxis(probabilities, 1, 0), start=rows.start):
            parts = self._waiting.setdefault(row, {})
            parts[member] = values
            if len(parts) == self._members:
                self._label(row, self._waiting.pop(row))

    def _label(self, row: int, parts: dict[int, NDArray[np.float32]]) -> None:
        first, *others = (parts[member] for member in range(self._members))
        mean = sum(others, start=first) / np.float32(self._members)
        labels = self._label_manager.convert_probabilities_to_segmentation(mean[:, None])
        self._labels[row] = labels[0]
