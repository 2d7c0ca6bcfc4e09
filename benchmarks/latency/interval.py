"""The interval of a median by the signs of its values, which assumes no distribution."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True)
class MedianInterval:
    """A median, and between which values the true one lies.

    Attributes:
        confidence: with what probability; below CONFIDENCE for fewer than 6 values, where the
            interval goes from the smallest to the largest.
    """

    median: float
    low: float
    high: float
    confidence: float


def median_interval(values: Sequence[float]) -> MedianInterval:
    """The narrowest interval between two of the values that is sure enough.

    Each value is above the true median with probability one half, so how many are is binomial.
    """
    ordered = sorted(values)
    count = len(ordered)
    left_out = max(
        (k for k in range((count + 1) // 2) if _coverage(count, k) >= CONFIDENCE), default=0
    )
    return MedianInterval(
        median(ordered),
        ordered[left_out],
        ordered[count - 1 - left_out],
        _coverage(count, left_out),
    )


def _coverage(count: int, left_out: int) -> float:
    """The probability that the median is within all but so many values at either end."""
    outside = sum(comb(count, k) for k in range(left_out + 1))
    return 1 - outside / 2.0 ** (count - 1)
