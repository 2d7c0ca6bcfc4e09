"""Throughput against latency: where each service ends, and how it gets there."""

from pathlib import Path
from typing import Any

from benchmarks.plots import COLORS, figure, save
from benchmarks.serving.comparison import COMPARED_OPEN, SERVICES
from droneseg.mode import Mode

TICKS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
ROOM_FOR_LEGEND = 4
PANELS: tuple[Mode, ...] = ("exact", "fast")


def draw(report: dict[str, Any], path: Path) -> None:
    """A panel for each mode: medians with a band up to the 95th percentile."""
    closed = report["closed"]["services"]
    opened = report.get("open", {}).get("services", {})
    sheet, axes = figure(1, len(PANELS), height=3.6)
    for axis, mode in zip(axes, PANELS, strict=True):
        names = [n for n in COMPARED_OPEN if SERVICES[n].mode == mode and n in closed]
        for name, color in zip(names, COLORS, strict=False):
            points = opened.get(name, [])
            rates = [point["rate"] for point in points]
            medians = [point["p50_s"] for point in points]
            axis.fill_between(
                rates, medians, [p["p95_s"] for p in points], color=color, alpha=0.15, linewidth=0
            )
            axis.plot(rates, medians, "o-", color=color, label=SERVICES[name].title)
            axis.plot(closed[name]["rate"], closed[name]["p50_s"], "D", color=color)
        axis.axvline(report["closed"]["offline_rate"][mode], color="#222222", linestyle=":")
        axis.set_title(mode)
        axis.set_yscale("log")
        lowest, highest = axis.get_ylim()
        axis.set_yticks(TICKS_S, [f"{tick:g}" for tick in TICKS_S])
        axis.minorticks_off()
        axis.set_ylim(lowest, highest * ROOM_FOR_LEGEND)
        axis.set_xlim(left=0)
        axis.set_xlabel("photos of 512 x 512 a second")
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    axes[0].set_ylabel("seconds: median, and up to p95")
    clients = report["closed"]["clients"]
    sheet.supxlabel(
        f"circles: requests at random times; diamonds: {clients} clients that wait; "
        "dotted: Predictor without a server",
        fontsize=8.5,
    )
    save(sheet, path)
