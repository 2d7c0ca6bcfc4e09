"""What our service adds to the network: it is asked with an engine that returns at once."""

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.photos import jpeg, large_scene
from benchmarks.serving.requests import p95, post
from benchmarks.serving.server import INSTANT, serving
from droneseg.bundle import DEFAULT_MODEL
from droneseg.scene import draw_scene

PHOTOS = 100
HUGE_PHOTOS = 3
HUGE = (3000, 4000)


def overhead() -> dict[str, Any]:
    """Milliseconds beside the runner's work; ns a pixel of the stages of a huge photo."""
    small, huge = jpeg(draw_scene(512, 512, seed=0)), jpeg(large_scene(*HUGE))
    with serving(INSTANT, DEFAULT_MODEL) as client:
        for _ in range(10):
            post(client, small)
        seen = [post(client, small) for _ in range(PHOTOS)]
        stages = [post(client, huge) for _ in range(HUGE_PHOTOS)]
    front_ms = [wall_ms - timings["predict"] for wall_ms, timings in seen]
    pixels = HUGE[0] * HUGE[1]
    ns_a_pixel = {
        stage: median(of(wall_ms, timings) for wall_ms, timings in stages) * 1e6 / pixels
        for stage, of in STAGES.items()
    }
    return {
        "front_ms_512": median(front_ms),
        "front_ms_512_p95": p95(front_ms),
        "predict_ms_512": median(timings["predict"] for _, timings in seen),
        "ns_a_pixel_12_megapixels": ns_a_pixel,
    }


def _transport(wall_ms: float, timings: dict[str, float]) -> float:
    return wall_ms - timings["decode"] - timings["encode"] - timings["predict"]


STAGES: dict[str, Callable[[float, dict[str, float]], float]] = {
    "decode": lambda _, timings: timings["decode"],
    "transport": _transport,
    "encode": lambda _, timings: timings["encode"],
}
