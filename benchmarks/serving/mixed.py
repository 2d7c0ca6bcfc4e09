"""What a huge photo costs small ones, and what batching brings where tiles are few.

The network is a small random one, so that a photo of 12 megapixels takes seconds.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.photos import jpeg, large_scene
from benchmarks.random_model import TrainedFolder
from benchmarks.serving.comparison import batches, mean_sizes
from benchmarks.serving.requests import p95, post
from benchmarks.serving.server import OURS, serving
from droneseg.scene import draw_scene

SMALL_NETWORK = TrainedFolder(patch_size=(256, 256), mirror_axes=())
CLIENTS = 16
BATCH_SIZE = 8
THROUGHPUT_PHOTOS = 120
MIXED_CLIENTS = 2
MIXED_PHOTOS = 40
ROUNDS = 2


def batching(model: Path) -> dict[str, Any]:
    """Photos a second of many clients whose tiles share batches, or do not, in turns."""
    photos = [jpeg(draw_scene(256, 256, seed=seed)) for seed in range(20)]
    speeds: dict[str, list[float]] = {"on": [], "off": []}
    sizes = []
    for _ in range(ROUNDS):
        for name, size in (("on", BATCH_SIZE), ("off", 1)):
            with serving(OURS, model, batch_size=size) as client:
                before = batches(client)
                speeds[name].append(throughput(client, photos))
                if name == "on":
                    sizes.append(mean_sizes(before, batches(client)))
    return {
        "photos_a_second_on": median(speeds["on"]),
        "photos_a_second_off": median(speeds["off"]),
        "all": speeds,
        "most": BATCH_SIZE,
        "photos_a_batch": median(size["photos_a_batch"] for size in sizes),
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
    with serving(OURS, model) as client:
        latencies(client, small)
        alone_ms, _ = post(client, huge)
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone += latencies(client, small)
            with always(lambda: post(client, huge)):
                beside += latencies(client, small)
    return {
        "huge_alone_s": alone_ms / 1000,
        "small_p50_ms": {"alone": median(alone), "beside": median(beside)},
        "small_p95_ms": {"alone": p95(alone), "beside": p95(beside)},
        "p95_ratio": p95(beside) / p95(alone),
    }


@contextmanager
def always(do: Callable[[], object]) -> Iterator[None]:
    """Let another thread do something again and again."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            do()

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        over.set()
        thread.join()


def latencies(client: httpx.Client, photo: bytes) -> list[float]:
    """Milliseconds of each of MIXED_PHOTOS photos of MIXED_CLIENTS clients."""
    with ThreadPoolExecutor(MIXED_CLIENTS) as pool:
        return [ms for ms, _ in pool.map(lambda _: post(client, photo), range(MIXED_PHOTOS))]
