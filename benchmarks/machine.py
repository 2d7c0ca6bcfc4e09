"""What a result was measured on, and where it goes."""

import json
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from droneseg.machine import available_cores, processor

# Named where they are installed.
PACKAGES = (
    "droneseg", "nnunetv2", "torch", "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt",
    "tensorrt-rtx-cu12", "bentoml", "numpy", "pillow",
)  # fmt: skip
RESULTS = Path(__file__).parent / "results"


def describe() -> dict[str, Any]:
    """Processor, GPU, cores, versions, commit and day."""
    return {
        "processor": processor(),
        "gpu": gpu(),
        "cores": available_cores(),
        "python": platform.python_version(),
        "versions": _versions(),
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def machine_name(machine: dict[str, Any]) -> str:
    """What results of one machine have in common: its GPU, or processor and cores."""
    gpu_name, _, _ = (machine["gpu"] or "").partition(",")
    return gpu_name or f"{machine['processor']}, {machine['cores']} cores"


def signature(machine: dict[str, Any]) -> str:
    """The same in a line for people."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    where = machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores"
    return (
        f"{where}; Python {machine['python']}, {versions}; commit {machine['commit']}, "
        f"{machine['date']}."
    )


def write_results(name: str, report: dict[str, Any], text: str) -> str:
    """Write a report for machines and for people; returns the latter."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    (RESULTS / f"{name}.md").write_text(text)
    return text


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def gpu() -> str | None:
    """The first GPU and its driver, by the driver's own tool; None if there is none."""
    try:
        done = _run("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    except FileNotFoundError:
        return None
    return done.splitlines()[0] if done else None


def _commit() -> str:
    """With a plus if the code is not what was committed."""
    changed = _run("git", "status", "--short", "--", ".", f":!{RESULTS.parent.name}/results")
    return _run("git", "rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
