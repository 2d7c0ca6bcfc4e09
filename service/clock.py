"""Clock: when the front was done with each stage of a photo."""

from typing import Any, NamedTuple

from service.payloads import Timings


class Clock(NamedTuple):
    """Seconds of time.perf_counter()."""

    started: float
    decoded: float
    segmented: float
    encoded: float

    @property
    def seconds(self) -> float:
        """From the photo's decoding to the end of its encoding."""
        return self.encoded - self.started

    def stages(self, outcome: dict[str, Any]) -> dict[str, float]:
        """Seconds of each stage, those of the runner's outcome among them."""
        return {
            "decode": self.decoded - self.started,
            "queue": outcome["queue_ms"] / 1000,
            **outcome["stages"],
            "encode": self.encoded - self.segmented,
        }

    def timings(self, outcome: dict[str, Any]) -> Timings:
        """For the answer."""
        return Timings(
            decode=(self.decoded - self.started) * 1000,
            queue=outcome["queue_ms"],
            predict=outcome["predict_ms"],
            encode=(self.encoded - self.segmented) * 1000,
            total=self.seconds * 1000,
        )
