"""StageTimes: how long a Predictor's stages took."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class StageTimes:
    """What has passed through the stages so far; a clock that only goes forward.

    On a GPU, whose work is only begun by a call, a stage may wait for what an earlier one began.

    Attributes:
        preprocess_s: cropping, normalisation and cutting into tiles; the former two of the next
            photo go on while the network runs.
        network_s: the network, with its mirror images and its wait for the engine.
        stitch_s: putting together, and labels out of logits.
        tiles: how many the network got, not counting mirror images.
    """

    preprocess_s: float = 0.0
    network_s: float = 0.0
    stitch_s: float = 0.0
    tiles: int = 0

    def copy(self) -> "StageTimes":
        """What it is now."""
        return StageTimes(*(getattr(self, field.name) for field in fields(self)))

    def since(self, earlier: "StageTimes") -> "StageTimes":
        """What has passed since a copy was taken."""
        return StageTimes(
            *(getattr(self, field.name) - getattr(earlier, field.name) for field in fields(self))
        )
