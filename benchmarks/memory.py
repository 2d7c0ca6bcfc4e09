"""Peak memory of a fresh process that segments one photo: python -m benchmarks.memory."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import RESULTS, describe
from benchmarks.photos import large_scene
from droneseg.bundle import DEFAULT_MODEL
from droneseg.images import decode_image
from droneseg.predictor import Predictor
from droneseg.segmentation import encode_png


def main() -> None:
    """Draw the photo here, segment it in a process of its own, and write what that one took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--height", type=int, default=4000)
    parser.add_argument("--width", type=int, default=6000)
    parser.add_argument("--photo", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.photo:
        print(segment(options.model, options.photo))
        return
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        photo.write_bytes(encode_png(large_scene(options.height, options.width)))
        command = [sys.executable, "-m", "benchmarks.memory", "--model", str(options.model)]
        done = subprocess.run(
            [*command, "--photo", str(photo)], capture_output=True, text=True, check=True
        )
    report = {
        "machine": machine,
        "model": options.model.name,
        "height": options.height,
        "width": options.width,
        "peak_mb": int(done.stdout) * 1024 // 1_000_000,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def segment(model: Path, photo: Path) -> int:
    """Load, decode, segment; the VmHWM of this process in KiB."""
    Predictor(model).segment([decode_image(photo.read_bytes())])
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if "VmHWM" in line))


if __name__ == "__main__":
    main()
