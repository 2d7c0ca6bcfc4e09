"""Normalization: nnU-Net's schemes, each as (clipped value - shift) / scale in float32."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneseg.errors import InvalidArray
from droneseg.float32_statistics import mean_std
from droneseg.plan import Channel

Float32Array = NDArray[np.float32]
# Types whose every value float32 holds, so that nothing is cut.
DTYPES = (np.uint8, np.uint16, np.float32)
ImageArray = NDArray[np.uint8 | np.uint16 | np.float32]

# nnU-Net divides by no less.
EPSILON = 1e-8
RGB_MAX = 255.0


@dataclass(frozen=True, slots=True)
class Normalization:
    """What a scheme comes to for one channel of one image, once its statistics are known.

    NumPy takes the numbers as float32, as it takes nnU-Net's.
    """

    shift: float = 0.0
    scale: float = 1.0
    lower: float = -np.inf
    upper: float = np.inf

    def apply(self, values: Float32Array) -> None:
        """Normalise in place, by the operations and in the order of nnunetv2's schemes."""
        if self.lower > -np.inf or self.upper < np.inf:
            np.clip(values, self.lower, self.upper, out=values)
        values -= self.shift
        values /= self.scale


def normalization_of(
    channel: Channel, plane: ImageArray, mask: NDArray[np.bool_] | None
) -> Normalization:
    """Take the statistics of a channel as nnunetv2's default_normalization_schemes do.

    Args:
        channel: with its scheme.
        plane: uint8, uint16 or float32 [h, w], the crop, as a view of the whole image: the last
            bits of a float32 sum depend on the memory order, and those bits alone flip labels.
        mask: bool [h, w], the non-zero pixels; for z-score with use_mask_for_norm.

    Raises:
        InvalidArray: RGBTo01Normalization met a value that is not of 8 bits.
    """
    match channel.normalization:
        case "ZScoreNormalization":
            return _zscore(plane if mask is None else plane[mask])
        case "CTNormalization":
            return _ct(channel)
        case "NoNormalization":
            return Normalization()
        case "RescaleTo01Normalization":
            lowest, highest = np.float32(plane.min()), np.float32(plane.max())
            return Normalization(float(lowest), max(float(highest - lowest), EPSILON))
        case "RGBTo01Normalization":
            if plane.min() < 0 or plane.max() > RGB_MAX:
                raise InvalidArray(
                    f"channel {channel.name} is normalised as RGB of 8 bits (0 to 255), but has "
                    f"values from {plane.min():g} to {plane.max():g}"
                )
            return Normalization(scale=RGB_MAX)


def _zscore(values: ImageArray) -> Normalization:
    if not values.size:
        # All masked: nothing is left to be normalised.
        return Normalization()
    mean, std = mean_std(values)
    return Normalization(mean, max(std, EPSILON))


def _ct(channel: Channel) -> Normalization:
    intensities = channel.intensities
    if intensities is None:
        raise ValueError(f"channel {channel.name} has no intensities")
    return Normalization(
        shift=intensities.mean,
        scale=max(intensities.std, EPSILON),
        lower=intensities.percentile_00_5,
        upper=intensities.percentile_99_5,
    )
