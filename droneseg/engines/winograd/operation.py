"""Operation: what a network does, with norms and activations left to the readers."""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from droneseg.engines.winograd.weights import Floats, padded

Pair = tuple[int, int]


class Kind(Enum):
    """What an operation is: HEAD writes logits, and MEAN pools."""

    CONVOLUTION = auto()
    TRANSPOSED = auto()
    HEAD = auto()
    SUM = auto()
    MEAN = auto()


@dataclass(frozen=True, eq=False)
class Image:
    """What an operation gives, [height, width, channels]; each is equal to itself alone."""

    height: int
    width: int
    channels: int


@dataclass(frozen=True, eq=False)
class Lazy:
    """An image whose scale, shift and activation whoever reads it applies, in this order.

    Attributes:
        scale: float32 [padded channels], as is the shift. Of a norm, it is there once the image is.
        slope: of values below 0.
    """

    image: Image
    scale: Floats
    shift: Floats
    slope: float = 1.0

    @classmethod
    def of(cls, image: Image) -> "Lazy":
        """As the operation gave it."""
        size = padded(image.channels)
        return cls(image, np.ones(size, np.float32), np.zeros(size, np.float32))

    @property
    def raw(self) -> bool:
        """Whether nothing is left to apply."""
        return self.slope == 1 and bool((self.scale == 1).all()) and not self.shift.any()


@dataclass(frozen=True, eq=False)
class Norm:
    """InstanceNormalization of an operation's image, as the scale and shift of a Lazy.

    Attributes:
        gamma: float32 [padded channels], as are `beta`, `scale` and `shift`.
    """

    gamma: Floats
    beta: Floats
    epsilon: float
    scale: Floats
    shift: Floats


@dataclass
class Operation:
    """Makes an image of one or two; those of a convolution are concatenated, of a sum added.

    Attributes:
        weights: [out, in, kernel height, kernel width].
        bias: [out].
    """

    kind: Kind
    sources: tuple[Lazy, ...]
    out: Image
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    weights: Floats | None = None
    bias: Floats | None = None
    norm: Norm | None = None
