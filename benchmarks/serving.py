"""What serving adds to the network, what batching brings, and what a huge photo costs small ones.

python -m benchmarks.serving writes benchmarks/results/serving.{json,md}. The network is a small
random one, so that a photo of 12 megapixels takes seconds.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from benchmarks.machine import RESULTS, describe
from benchmarks.photos import jpeg, large_scene
from benchmarks.random_model import TrainedFolder
from benchmarks.server import serving
from droneseg.bundle import DEFAULT_MODEL, PLAN_FILE, sha256
from droneseg.scene import draw_scene
from export.ensemble import inference_plan
from export.onnx_model import FoldMean, write_onnx
from export.trained_model import TrainedModel
from export.writer import record_probes

SMALL_NETWORK = TrainedFolder(patch_size=(256, 256), mirror_axes=())
SERVICE, INSTANT = "service:DroneSeg", "benchmarks.instant:DroneSeg"
CLIENTS = 16
THROUGHPUT_PHOTOS = 120
MIXED_CLIENTS = 2
MIXED_PHOTOS = 40
OVERHEAD_PHOTOS = 100
HUGE_PHOTOS = 3
ROUNDS = 2


def main() -> None:
    """Measure and write the results."""
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        small = write_bundle(Path(folder))
        report = {"machine": machine}
        for part, measure in (
            ("overhead", overhead),
            ("mixed", lambda: mixed(small)),
            ("batching", lambda: batching(small)),
        ):
            report[part] = measure()
            print(json.dumps({part: report[part]}), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "serving.json").write_text(json.dumps(report, indent=2) + "\n")
    (RESULTS / "serving.md").write_text(describe_report(report))
    print((RESULTS / "serving.md").read_text())


def write_bundle(folder: Path) -> Path:
    """A bundle of the small network, which nobody has proven: its speed alone is looked at."""
    model = TrainedModel.load(SMALL_NETWORK.write(folder / "trained"))
    plan = inference_plan([model], "small_random", {})
    member = plan.members[0]
    output = folder / "small_random"
    output.mkdir()
    network = FoldMean(model.networks()).eval()
    files = write_onnx(network, plan, member, output / member.model)
    record_probes(network, plan, member, model.top_intensities).save(output / member.probes)
    hashes = {name: sha256(output / name) for name in (*files, member.probes)}
    replace(plan, files=hashes).sealed().save(output / PLAN_FILE)
    return output


def overhead() -> dict[str, Any]:
    """Milliseconds beside the runner's work; ns a pixel of the stages of a huge photo."""
    small, huge = jpeg(draw_scene(512, 512, seed=0)), jpeg(large_scene(3000, 4000))
    with serving(INSTANT, DEFAULT_MODEL) as client:
        for _ in range(10):
            post(client, small)
        seen = [post(client, small) for _ in range(OVERHEAD_PHOTOS)]
        stages = [post(client, huge) for _ in range(HUGE_PHOTOS)]
    front_ms = [wall_ms - timings["predict"] for wall_ms, timings in seen]
    pixels = 3000 * 4000
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


def batching(model: Path) -> dict[str, Any]:
    """Photos a second of many clients, with batches and without, in turns."""
    photos = [jpeg(draw_scene(256, 256, seed=seed)) for seed in range(20)]
    speeds: dict[str, list[float]] = {"on": [], "off": []}
    mean_batch_sizes = []
    for _ in range(ROUNDS):
        for name, size in (("on", 4), ("off", 1)):
            with serving(SERVICE, model, max_batch_size=size) as client:
                before = batch_sizes(client)
                speeds[name].append(throughput(client, photos))
                if name == "on":
                    now = batch_sizes(client)
                    mean_batch_sizes.append((now[0] - before[0]) / (now[1] - before[1]))
    return {
        "photos_a_second_on": median(speeds["on"]),
        "photos_a_second_off": median(speeds["off"]),
        "all": speeds,
        "mean_batch_size": median(mean_batch_sizes),
    }


def throughput(client: httpx.Client, photos: list[bytes]) -> float:
    """Photos a second that CLIENTS clients get answered."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda i: post(client, photos[i % len(photos)]), range(2 * CLIENTS)))
        start = time.perf_counter()
        list(pool.map(lambda i: post(client, photos[i % len(photos)]), range(THROUGHPUT_PHOTOS)))
    return THROUGHPUT_PHOTOS / (time.perf_counter() - start)


def mixed(model: Path) -> dict[str, Any]:
    """Milliseconds of 512 x 512 photos, alone and while a 12-megapixel photo is always there."""
    small, huge = jpeg(draw_scene(512, 512, seed=0)), jpeg(large_scene(3000, 4000))
    with serving(SERVICE, model) as client:
        latencies(client, small)
        alone_s, _ = post(client, huge)
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone += latencies(client, small)
            with always(lambda: post(client, huge)):
                beside += latencies(client, small)
    return {
        "huge_alone_s": alone_s / 1000,
        "small_p50_ms": {"alone": median(alone), "beside": median(beside)},
        "small_p95_ms": {"alone": p95(alone), "beside": p95(beside)},
        "p95_ratio": p95(beside) / p95(alone),
    }


class always:  # noqa: N801 - reads as a statement
    """A context in which something is done again and again by another thread."""

    def __init__(self, do: Callable[[], object]):
        self._do = do
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()
        time.sleep(1)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self._do()


def latencies(client: httpx.Client, photo: bytes) -> list[float]:
    """Milliseconds of each of MIXED_PHOTOS photos of MIXED_CLIENTS clients."""
    with ThreadPoolExecutor(MIXED_CLIENTS) as pool:
        return [ms for ms, _ in pool.map(lambda _: post(client, photo), range(MIXED_PHOTOS))]


def post(client: httpx.Client, photo: bytes) -> tuple[float, dict[str, float]]:
    """Milliseconds that the client saw, and those of the stages."""
    start = time.perf_counter()
    answer = client.post("/predict", files={"data": photo}).raise_for_status()
    wall_ms = (time.perf_counter() - start) * 1000
    return wall_ms, answer.json()["timings_ms"]


def batch_sizes(client: httpx.Client) -> tuple[float, float]:
    """Photos and batches so far, by BentoML's histogram."""
    lines = client.get("/metrics").text.splitlines()
    photos, batches = (
        sum(float(line.split()[-1]) for line in lines if f"adaptive_batch_size_{name}{{" in line)
        for name in ("sum", "count")
    )
    return photos, batches


def p95(values: list[float]) -> float:
    """The value that 95 % stay below."""
    return quantiles(values, n=20)[-1]


def describe_report(report: dict[str, Any]) -> str:
    """The report for people."""
    machine, over = report["machine"], report["overhead"]
    batches, mix = report["batching"], report["mixed"]
    stages = ", ".join(f"{k} {v:.0f}" for k, v in over["ns_a_pixel_12_megapixels"].items())
    p50, p95_ms = mix["small_p50_ms"], mix["small_p95_ms"]
    return f"""| what | measured |
| --- | --- |
| front overhead of a 512 x 512 JPEG, engine that returns at once | {over["front_ms_512"]:.1f} ms at the median, p95 {over["front_ms_512_p95"]:.1f} ms |
| nanoseconds a pixel at 3000 x 4000 | {stages} |
| {CLIENTS} clients, 256 x 256, batches of at most 4 | {batches["photos_a_second_on"]:.1f} photos/s, mean batch size {batches["mean_batch_size"]:.2f} |
| the same without batching | {batches["photos_a_second_off"]:.1f} photos/s |
| 512 x 512, {MIXED_CLIENTS} clients | p50 {p50["alone"]:.0f} ms, p95 {p95_ms["alone"]:.0f} ms |
| the same beside a 12-megapixel photo ({mix["huge_alone_s"]:.1f} s alone) | p50 {p50["beside"]:.0f} ms, p95 {p95_ms["beside"]:.0f} ms: {mix["p95_ratio"]:.2f} times |

A small random network (patch 256 x 256, no mirroring). {machine["processor"]}, {machine["cores"]} cores; commit {machine["commit"]}, {machine["date"]}.
"""  # noqa: E501


if __name__ == "__main__":
    main()
