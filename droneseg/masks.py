"""Masks that people painted: colours back to classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from droneseg.plan import Label

# What has the colour of no class.
IGNORED = 255


def class_ids(colors: NDArray[np.uint8], labels: Sequence[Label]) -> NDArray[np.uint8]:
    """The class of each pixel by its colour, IGNORED if no class has it; uint8 [H, W].

    Args:
        colors: uint8 [H, W, 3].
        labels: the classes to look for.
    """
    ids = np.full(colors.shape[:2], IGNORED, np.uint8)
    for label in labels:
        ids[(colors == label.rgb).all(axis=2)] = label.id
    return ids
