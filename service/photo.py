"""Photo: what the front sends to the runner, on the same machine."""

from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from droneseg.mode import Mode


class Photo(TypedDict):
    """A photo and what is wanted of it.

    `sent` and `deadline` are of time.monotonic(); `wanted` is a file that is there while somebody
    waits for the photo: several processes see it at once, without a message to each.
    """

    image: NDArray[np.uint8]
    mode: Mode
    probabilities: bool
    confidence: bool
    request_id: str
    sent: float
    deadline: float
    wanted: str


class Wanted(NamedTuple):
    """What photos have to share to go through the network together."""

    mode: Mode
    probabilities: bool
    confidence: bool

    @classmethod
    def of(cls, photo: Photo) -> "Wanted":
        """Of one photo."""
        return cls(photo["mode"], photo["probabilities"], photo["confidence"])
