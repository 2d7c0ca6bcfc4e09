"""ProbabilityMean: the mean of the probabilities of an ensemble's members."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from droneseg.label_manager import LabelManager


class ProbabilityMean:
    """Averages probabilities and hands on each row once all members have said theirs.

    Matches nnunetv2's ensemble_folders, which averages whole images of every member. Members come
    row by row and about as far as each other, so that few rows wait.
    """

    def __init__(
        self,
        label_manager: LabelManager,
        members: int,
        write: Callable[[slice, NDArray[np.float32]], None],
    ):
        """Start with no row.

        Args:
            label_manager: makes probabilities of logits.
            members: how many.
            write: called with a row and its probabilities, float32 [K, 1, w].
        """
        self._label_manager = label_manager
        self._members = members
        self._write = write
        self._waiting: dict[int, dict[int, NDArray[np.float32]]] = {}

    def add(self, member: int, rows: slice, logits: NDArray[np.float32]) -> None:
        """Take a member's logits of some rows, float32 [K, rows, w]."""
        probabilities = self._label_manager.apply_inference_nonlin(logits)
        for row, values in enumerate(np.moveaxis(probabilities, 1, 0), start=rows.start):
            parts = self._waiting.setdefault(row, {})
            parts[member] = values
            if len(parts) == self._members:
                self._average(row, self._waiting.pop(row))

    def _average(self, row: int, parts: dict[int, NDArray[np.float32]]) -> None:
        first, *others = (parts[member] for member in range(self._members))
        mean = sum(others, start=first) / np.float32(self._members)
        self._write(slice(row, row + 1), mean[:, None])
