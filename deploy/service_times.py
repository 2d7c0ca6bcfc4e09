"""How long photos of several sizes take on a running service, one at a time.

python -m deploy.service_times cpu --url http://localhost:3000

writes deploy/results/service_times_cpu.json, from which deploy.capacity reckons.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from benchmarks.machine import describe
from droneseg.mode import Mode
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png

RESULTS = Path(__file__).parent / "results"
# Height and width in px, and how often: what takes long is measured less often.
SIZES = {(256, 256): 5, (512, 512): 5, (600, 800): 4, (1000, 1000): 3, (1500, 2000): 1}
MODES: tuple[Mode, ...] = ("exact", "fast")


def measure(client: httpx.Client, size: tuple[int, int], mode: Mode, times: int) -> dict[str, Any]:
    """Seconds of each photo by what the service says: in all, and of those in the front."""
    seconds, front = [], []
    for seed in range(times):
        photo = encode_png(draw_scene(*size, seed=seed))
        answer = client.post("/predict", params={"mode": mode}, files={"data": photo})
        timings = answer.raise_for_status().json()["timings_ms"]
        seconds.append(round(timings["total"] / 1000, 4))
        front.append(round((timings["decode"] + timings["encode"]) / 1000, 4))
    return {"seconds": seconds, "front_seconds": front}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the result, such as cpu or l4")
    parser.add_argument("--url", required=True)
    parser.add_argument("--api-key", default="")
    parser.add_argument("--machine", help="the service's, if it is not this one")
    arguments = parser.parse_args()
    headers = {"X-API-Key": arguments.api_key} if arguments.api_key else {}
    with httpx.Client(base_url=arguments.url, headers=headers, timeout=600) as client:
        model = client.get("/model_info").raise_for_status().json()
        photos = [
            {
                "height": size[0],
                "width": size[1],
                "mode": mode,
                **measure(client, size, mode, times),
            }
            for mode in MODES
            for size, times in tqdm(SIZES.items(), desc=mode)
        ]
    report = {
        "machine": {"name": arguments.machine} if arguments.machine else describe(),
        "model": {name: model[name] for name in ("name", "hash", "modes", "versions")},
        "photos": photos,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"service_times_{arguments.name}.json").write_text(
        json.dumps(report, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
