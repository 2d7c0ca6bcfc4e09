"""StageTimes: how long an image took in a Predictor's stages."""

from dataclasses import dataclass


@dataclass(slots=True)
class StageTimes:
    """Seconds of one image's own work, without its waiting for those before it.

    Of a batch with tiles of several images, each has the share of its tiles. On a GPU, whose work
    is only begun by a call, a stage may wait for what an earlier one began.

    Attributes:
        preprocess_s: cropping, normalisation and cutting into tiles; the former two may have gone
            on while the network ran for another image.
        network_s: the network, with its mirror images and its wait for the engine.
        stitch_s: putting together, and labels out of logits.
        tiles: how many the network got, not counting mirror images.
    """

    preprocess_s: float = 0.0
    network_s: float = 0.0
    stitch_s: float = 0.0
    tiles: int = 0

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return self.preprocess_s + self.network_s + self.stitch_s

    def add_tile(self, preprocess_s: float, network_s: float, stitch_s: float) -> None:
        """Take a tile into account."""
        self.preprocess_s += preprocess_s
        self.network_s += network_s
        self.stitch_s += stitch_s
        self.tiles += 1
