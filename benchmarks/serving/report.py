"""The report for people: serving.md and serving.png. Run as a module, they are written anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import prices
from benchmarks.machine import RESULTS, signature
from benchmarks.prices import instance
from benchmarks.serving.comparison import NNUNET, SERVICES
from benchmarks.serving.plot import draw

# What is configured for our service on a CPU.
MEMORY_GIB = 4


def write_report(report: dict[str, Any], folder: Path = RESULTS) -> str:
    """Write serving.md and serving.png of what was measured so far; returns the former."""
    text = "\n".join(line for part in WRITERS for line in _part(report, part)) + "\n"
    (folder / "serving.md").write_text(text)
    if "closed" in report:
        draw(report, folder / "serving.png")
    return text


def _part(report: dict[str, Any], name: str) -> Iterator[str]:
    if name in report:
        part = report[name]
        yield from WRITERS[name](part)
        yield f"\n{part['model']}. {signature(part['machine'])}\n"


def _closed(part: dict[str, Any]) -> Iterator[str]:
    gpu = part["machine"]["gpu"] is not None
    where = instance(part["machine"]["cores"], MEMORY_GIB, gpu=gpu)
    offline = part["offline_rate"]
    services = part["services"]
    slowest = services.get(NNUNET, {}).get("rate")
    yield f"## {part['clients']} clients that wait for their answers, photos of 512 x 512\n"
    yield (
        "Without a server, at its best batch size: "
        + ", ".join(f"{mode} {rate:.2f} photos/s" for mode, rate in offline.items())
        + f". Rounds, of which the medians are given: {part['rounds']}.\n"
    )
    yield (
        "| service | photos/s | of the rate without a server | times FastAPI on nnUNetPredictor "
        "| p50 | p95 | p99 | tiles a batch | answers | errors | labels as expected | 1,000 images |"
    )
    yield "| --- " * 12 + "|"
    for name, seen in services.items():
        service = SERVICES[name]
        values = [
            service.title,
            f"{seen['rate']:.2f}",
            f"{seen['rate'] / offline[service.mode]:.0%}",
            f"{seen['rate'] / slowest:.1f}" if slowest else "",
            *(f"{seen[cut]:.2f} s" for cut in ("p50_s", "p95_s", "p99_s")),
            f"{seen['tiles_a_batch']:.1f}" if "tiles_a_batch" in seen else "",
            str(seen["requests"]),
            str(seen["errors"]),
            f"{seen['labels_equal']:.3%}",
            f"${where.dollars(seen['rate']):.3f}",
        ]
        yield f"| {' | '.join(values)} |"
    most = max(seen["generator_cpu_share"] for seen in services.values())
    others = max(seen["others_share"] for seen in services.values())
    yield (
        f"\nPrices: {where.name} that is always busy, list prices of {prices.DATED} "
        f"({prices.SOURCE}). Expected labels are those of the Predictor in the same mode; of "
        "nnUNetPredictor, which adds up in float16, those of the exact mode; of the photo with the "
        f"fewest equal ones. The generator took at most {most:.0%} of a core, "
        f"processes that do not belong here at most {others:.0%} of all cores."
    )


def _open(part: dict[str, Any]) -> Iterator[str]:
    yield "## Requests that come by themselves, at random times\n"
    yield "| service | offered, photos/s | answered | p50 | p95 | p99 | answers | errors |"
    yield "| --- " * 8 + "|"
    for name, points in part["services"].items():
        for seen in points:
            yield (
                f"| {SERVICES[name].title} | {seen['offered']:.2f} ({seen['share']:.0%}) "
                f"| {seen['rate']:.2f} | {seen['p50_s']:.2f} s | {seen['p95_s']:.2f} s "
                f"| {seen['p99_s']:.2f} s | {seen['requests']} | {seen['errors']} |"
            )
    yield "\nIn brackets: of the rate that the service reached in the closed loop."


def _overhead(part: dict[str, Any]) -> Iterator[str]:
    stages = ", ".join(f"{k} {v:.0f}" for k, v in part["ns_a_pixel_12_megapixels"].items())
    yield "## Beside the network: an engine that returns at once\n"
    yield "| what | measured |\n| --- | --- |"
    yield (
        f"| a 512 x 512 JPEG, without the runner's work | {part['front_ms_512']:.1f} ms at the "
        f"median, p95 {part['front_ms_512_p95']:.1f} ms |"
    )
    yield f"| nanoseconds a pixel at 3000 x 4000 | {stages} |"


def _mixed(part: dict[str, Any]) -> Iterator[str]:
    p50, p95 = part["small_p50_ms"], part["small_p95_ms"]
    yield "## A huge photo beside small ones: a small random network, patch 256 x 256\n"
    yield "| what | measured |\n| --- | --- |"
    yield (
        f"| 512 x 512, two clients | p50 {p50['alone']:.0f} ms, p95 {p95['alone']:.0f} ms |\n"
        f"| the same beside a 12-megapixel photo ({part['huge_alone_s']:.1f} s alone) "
        f"| p50 {p50['beside']:.0f} ms, p95 {p95['beside']:.0f} ms: {part['p95_ratio']:.2f} times |"
    )


def _batching(part: dict[str, Any]) -> Iterator[str]:
    yield "## Batching photos of a tile each: a small random network, patch 256 x 256\n"
    yield "| what | measured |\n| --- | --- |"
    yield (
        f"| 16 clients, 256 x 256, a batch of the network for each photo "
        f"| {part['photos_a_second_off']:.1f} photos/s |\n"
        f"| the same with batches of at most {part['most']} tiles "
        f"| {part['photos_a_second_on']:.1f} photos/s, {part['photos_a_batch']:.1f} a batch |"
    )


WRITERS = {
    "closed": _closed,
    "open": _open,
    "overhead": _overhead,
    "mixed": _mixed,
    "batching": _batching,
}

if __name__ == "__main__":
    print(write_report(json.loads((RESULTS / "serving.json").read_text())))
