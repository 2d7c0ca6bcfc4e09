"""How often drift is found where there is some, and where there is none.

python -m benchmarks.drift IMAGES writes benchmarks/results/drift.*. IMAGES is the folder whose
photos the bundle's reference profile describes. Predictions are drawn from these photos, as they
are or shifted, for many seeds: from all of them, against all of them; and, which is harder, from
one half against the other. Class fractions of shifted photos are those of the photos as they are,
which makes shifts harder to find. The test is scipy's, as Evidently's is.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from tqdm import tqdm

from benchmarks import shifts
from benchmarks.iou import read_rgb
from benchmarks.machine import describe, signature, write_results
from benchmarks.shifts import Photo
from drift.reference import FRACTION, SUFFIXES, ReferenceProfile
from drift.report import P_VALUE
from droneseg.bundle import DEFAULT_MODEL
from droneseg.descriptors import describe_photo

SEEDS = 100
PREDICTIONS = (50, 500)
P_VALUES = (0.01, 0.001, P_VALUE)
POPULATIONS = ("the same photos", "other photos")
SHIFTS: dict[str, Callable[[Photo], Photo]] = {
    "none": lambda photo: photo,
    "darker (x 0.6)": lambda photo: shifts.brightness(photo, 0.6),
    "blurred (sigma 1.5 px)": lambda photo: shifts.blur(photo, 1.5),
    "hazy (a half)": lambda photo: shifts.haze(photo, 0.5),
}
# Photos by the rank of their share of a class: so many times as often at its most as at its least.
MIXES = {"land": 20.0, "water": 20.0}


def main() -> None:
    """Compare every half with the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("images", type=Path, help="a folder of photos")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    options = parser.parse_args()
    profile = ReferenceProfile.load(options.model)
    frames = shifted_frames(options.images, pd.DataFrame(profile.columns))
    trials = [
        {"population": population, "predictions": count, "seed": seed, "shift": shift, "p": lowest}
        for population in POPULATIONS
        for count in PREDICTIONS
        for seed in tqdm(range(SEEDS), unit="seed", desc=f"{count} of {population}")
        for shift, lowest in trial(frames, population, count, seed).items()
    ]
    report = {
        "machine": describe(),
        "photos": profile.photos,
        "columns": len(profile.columns),
        "rates": rates(trials),
    }
    print(write_results("drift", report, table(report)))


def shifted_frames(images: Path, fractions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A row for each photo, under each shift."""
    names = [name.removeprefix("mean_") for name in fractions if name.startswith("mean_")]
    kept = [name for name in fractions if name.startswith(FRACTION)]
    paths = sorted(path for path in images.iterdir() if path.suffix.lower() in SUFFIXES)
    photos = [read_rgb(path.read_bytes()) for path in paths]
    frames = {}
    for shift, change in SHIFTS.items():
        described = pd.DataFrame([describe_photo(change(photo), names) for photo in photos])
        frames[shift] = pd.concat([described, fractions[kept]], axis=1)
    return frames


def trial(
    frames: dict[str, pd.DataFrame], population: str, count: int, seed: int
) -> dict[str, float]:
    """The lowest p-value of all columns under each shift."""
    rng = np.random.default_rng(seed)
    plain = frames["none"]
    order = rng.permutation(len(plain))
    half = len(order) // 2
    known, met = (order, order) if population == POPULATIONS[0] else (order[:half], order[half:])
    draws = {shift: frame.iloc[rng.choice(met, count)] for shift, frame in frames.items()}
    for name, times in MIXES.items():
        weights = times ** plain[f"{FRACTION}{name}"].rank(pct=True)[met].to_numpy()
        chosen = rng.choice(met, count, p=weights / weights.sum())
        draws[f"{name} up to {times:g} times as often"] = plain.iloc[chosen]
    return {
        shift: min(float(ks_2samp(plain[name].iloc[known], drawn[name]).pvalue) for name in plain)
        for shift, drawn in draws.items()
    }


def rates(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many trials of each kind have an alarm, for each threshold."""
    lowest: dict[tuple[str, int, str], list[float]] = {}
    for one in trials:
        kind = (one["shift"], one["predictions"], one["population"])
        lowest.setdefault(kind, []).append(one["p"])
    return [
        {
            "shift": shift,
            "predictions": count,
            "population": population,
            "p_value": p_value,
            "alarms": float(np.mean([value < p_value for value in values])),
        }
        for (shift, count, population), values in lowest.items()
        for p_value in P_VALUES
    ]


def table(report: dict[str, Any]) -> str:
    """For people: a row for each kind, a column for each threshold."""
    pairs = [(population, p_value) for population in POPULATIONS for p_value in P_VALUES]
    head = " | ".join(f"{population}, p < {p_value:g}" for population, p_value in pairs)
    by_kind: dict[tuple[str, int], dict[tuple[str, float], str]] = {}
    for rate in report["rates"]:
        cells = by_kind.setdefault((rate["shift"], rate["predictions"]), {})
        cells[rate["population"], rate["p_value"]] = f"{rate['alarms']:.0%}"
    rows = "\n".join(
        f"| {shift} | {count} | {' | '.join(cells[pair] for pair in pairs)} |"
        for (shift, count), cells in by_kind.items()
    )
    return f"""Reports with an alarm, which is a column whose p-value is below a threshold, of \
{SEEDS} seeds. {report["photos"]} real photos, {report["columns"]} columns; p < {P_VALUE:g} is used.

| shift | predictions | {head} |
| --- | --- |{" --- |" * len(pairs)}
{rows}

{signature(report["machine"])}
"""


if __name__ == "__main__":
    main()
