"""How long a container takes from its start to ready, and where the time goes.

python -m deploy.start

builds the image, starts it a few times and writes deploy/results/start.json and .md. Needs what
deploy.containers needs.
"""

import json
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from benchmarks.machine import describe, signature
from deploy.containers import Images, unusable
from deploy.service_times import RESULTS

ROOT = Path(__file__).parent.parent
STARTS = 3
POLL_S = 0.01
GIVE_UP_S = 60
# What the log has when a stage is over.
STAGES = {
    "Python starts, imports BentoML and the service": "Service loaded",
    "the server starts its two processes": "DroneSegRunner initialized",
    "the model warms up": "ready: model",
}


def start(images: Images, image: str) -> dict[str, float]:
    """Seconds until each stage was over, and until /readyz was 200."""
    seen: dict[str, float] = {}
    with images.started(image) as container:
        began = time.monotonic()
        while "ready" not in seen and time.monotonic() - began < GIVE_UP_S:
            log = container.log.read_text()
            for stage, mark in STAGES.items():
                if mark in log:
                    seen.setdefault(stage, time.monotonic() - began)
            if len(seen) == len(STAGES) and is_ready(container.url):
                seen["ready"] = time.monotonic() - began
            time.sleep(POLL_S)
    return seen


def is_ready(url: str) -> bool:
    """Whether /readyz is 200."""
    return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK


def main() -> None:
    """Build, measure and write."""
    reason = unusable()
    if reason:
        raise SystemExit(f"no containers here: {reason}")
    with TemporaryDirectory(prefix="images") as folder:
        images = Images(Path(folder))
        image = images.build(ROOT)
        size = images.size(image)
        starts = [start(images, image) for _ in range(STARTS)]
        images.remove_all()
    report = {"machine": describe(), "size": size, "starts": starts}
    (RESULTS / "start.json").write_text(json.dumps(report, indent=2) + "\n")
    rows = []
    before = 0.0
    for stage in [*STAGES, "ready"]:
        until = median(seconds[stage] for seconds in starts)
        rows.append(f"| {stage} | {until - before:.1f} s | {until:.1f} s |")
        before = until
    head = ["| stage | takes | until |", "| --- | --- | --- |"]
    tail = ["", f"Medians of {STARTS} starts; the image has {size}. {signature(describe())}", ""]
    (RESULTS / "start.md").write_text("\n".join([*head, *rows, *tail]))


if __name__ == "__main__":
    main()
