"""LabelManager: from logits to labels, as the class of nnU-Net that has this name."""

import numpy as np
from numpy.typing import NDArray

from droneseg.plan import Region

Float32Array = NDArray[np.float32]

# The largest logit whose float32 sigmoid PyTorch still rounds to 0.5, which is not above 0.5.
LARGEST_ABSENT_LOGIT = np.float32(8.940697e-08)


class LabelManager:
    """Decides the label of each pixel: the largest logit, or regions painted one over the other."""

    def __init__(self, regions: tuple[Region, ...]):
        """Take the regions of a plan, which are none if the heads are the labels."""
        self._ids = tuple(region.id for region in regions)

    def convert_logits_to_segmentation(self, logits: Float32Array) -> NDArray[np.uint8]:
        """Labels uint8 [H, W] of logits float32 [K, H, W]."""
        if self._ids:
            return _paint(logits > LARGEST_ABSENT_LOGIT, self._ids)
        return argmax(logits)

    def convert_probabilities_to_segmentation(
        self, probabilities: Float32Array
    ) -> NDArray[np.uint8]:
        """Labels uint8 [H, W] of probabilities float32 [K, H, W]."""
        if self._ids:
            return _paint(probabilities > 0.5, self._ids)
        return argmax(probabilities)

    def apply_inference_nonlin(self, logits: Float32Array) -> Float32Array:
        """Probabilities of logits [K, H, W]: softmax over the classes, or sigmoid for regions."""
        if self._ids:
            # The sigmoid without the overflow of exp(-x), and as accurate near 0 as elsewhere:
            # ensembles compare sums of small probabilities with one half.
            small: Float32Array = np.exp(-np.abs(logits))
            one = np.float32(1)
            sigmoid: Float32Array = np.where(logits >= 0, one, small) / (one + small)
            return sigmoid
        exponentials: Float32Array = np.exp(logits - logits.max(axis=0))
        exponentials /= exponentials.sum(axis=0)
        return exponentials

    def confidence(self, probabilities: Float32Array) -> Float32Array:
        """How sure the decision is: [H, W] of probabilities [K, H, W].

        The probability of the chosen class; of regions, which are decided one by one, the mean.
        """
        if self._ids:
            right: Float32Array = np.maximum(probabilities, 1 - probabilities).mean(axis=0)
            return right
        largest: Float32Array = probabilities.max(axis=0)
        return largest


def _paint(present: NDArray[np.bool_], ids: tuple[int, ...]) -> NDArray[np.uint8]:
    labels = np.zeros_like(present[0], np.uint8)
    for region, label_id in zip(present, ids, strict=True):
        labels[region] = label_id
    return labels


def argmax(logits: Float32Array) -> NDArray[np.uint8]:
    """The first class with the largest logit, uint8 [H, W] of float32 [K, H, W].

    np.argmax over the first axis gives the same, several times slower.
    """
    best = logits[0].copy()
    labels = np.zeros_like(best, np.uint8)
    for class_id, plane in enumerate(logits[1:], start=1):
        np.copyto(labels, class_id, where=plane > best)
        np.maximum(best, plane, out=best)
    return labels
