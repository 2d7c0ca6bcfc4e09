"""droneseg predict | info."""

import argparse
import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from droneseg.bundle import DEFAULT_MODEL, Bundle, find_bundle
from droneseg.errors import DroneSegError
from droneseg.images import decode_image
from droneseg.plan import InferencePlan, Member
from droneseg.predictor import Predictor
from droneseg.segmentation import Segmentation


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status is 1 if anything could not be done."""
    options = _parser().parse_args(arguments)
    try:
        bundle = Bundle.load(find_bundle(options.model))
        if options.command == "info":
            print(describe(bundle.plan))
            return 0
        return PredictCommand(options.images, options.output, bundle).run()
    except DroneSegError as error:
        print(f"error [{error.code}]: {error.message}", file=sys.stderr)
    except OSError as error:
        print(f"error [io_error]: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="droneseg", description="Segment aerial photos with a trained nnU-Net."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help="segment photos")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="photos to segment")
    predict.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="NAME_labels.png, NAME_color.png and NAME_overlay.png are written here",
    )
    info = commands.add_parser("info", help="say what a model is")
    for command in (predict, info):
        command.add_argument(
            "--model",
            type=Path,
            default=Path(os.environ.get("DRONESEG_MODEL", DEFAULT_MODEL)),
            metavar="DIR",
            help="a bundle, or its name below models/; "
            f"default: $DRONESEG_MODEL or {DEFAULT_MODEL}",
        )
    return parser


class PredictCommand:
    """Segments files; bad ones are named, counted and skipped."""

    def __init__(self, images: list[Path], output: Path, bundle: Bundle):
        self._images = images
        self._output = output
        self._bundle = bundle
        self._channels = len(bundle.plan.channel_names)
        self._skipped = 0
        # Decoded photos whose result is still to come.
        self._waiting: deque[tuple[Path, NDArray[np.uint8]]] = deque()

    def run(self) -> int:
        """Segment and write; the exit status."""
        self._refuse_clashes()
        predictor = Predictor(self._bundle)
        self._output.mkdir(parents=True, exist_ok=True)
        with tqdm(total=len(self._images), unit="photo", desc="segmenting") as bar:
            for segmentation in predictor.stream(self._photos(bar)):
                path, photo = self._waiting.popleft()
                self._write(path.stem, photo, segmentation)
                bar.update()
        written = len(self._images) - self._skipped
        print(f"{written} segmented into {self._output}, {self._skipped} skipped")
        return 1 if self._skipped else 0

    def _photos(self, bar: "tqdm[NoReturn]") -> Iterator[NDArray[np.uint8]]:
        for path in self._images:
            try:
                photo = decode_image(path.read_bytes(), channels=self._channels)
            except (DroneSegError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                bar.write(f"skipped {path}: {reason}", file=sys.stderr)
                bar.update()
                self._skipped += 1
            else:
                self._waiting.append((path, photo))
                yield photo

    def _write(self, name: str, photo: NDArray[np.uint8], segmentation: Segmentation) -> None:
        for kind, png in (
            ("labels", segmentation.label_png()),
            ("color", segmentation.color_png()),
            ("overlay", segmentation.overlay_png(photo)),
        ):
            (self._output / f"{name}_{kind}.png").write_bytes(png)

    def _refuse_clashes(self) -> None:
        """Two photos of one name would overwrite each other's results."""
        by_name: dict[str, Path] = {}
        for path in self._images:
            other = by_name.setdefault(path.stem, path)
            if other is not path:
                raise NameClash(
                    f"{other} and {path} would both be written as {path.stem}_*.png; "
                    "write them to different folders"
                )
            if path.parent.resolve() == self._output.resolve():
                raise NameClash(
                    f"{self._output} is the folder of {path}: results could overwrite what lies "
                    "beside it; write them to another folder"
                )


class NameClash(DroneSegError):
    """Two results would have the same file name."""

    code = "name_clash"


def describe(plan: InferencePlan) -> str:
    """What a model is, for a terminal."""
    lines = [
        f"{plan.name}  {plan.content_hash[:12]}",
        *(line for member in plan.members for line in _describe_member(member)),
        *(f"  class {label.id:<3}{label.color}  {label.name}" for label in plan.labels),
        *(
            f"  verified {verification.engine}: at least "
            f"{min(check.agreement_reference for check in verification.checks):.4%} of the labels "
            "equal to nnU-Net's"
            for verification in plan.verifications
        ),
    ]
    return "\n".join(lines)


def _describe_member(member: Member) -> list[str]:
    source = member.source
    channels = ", ".join(f"{c.name} ({c.normalization})" for c in member.channels)
    height, width = member.patch_size
    return [
        f"  from     {source.dataset}, {source.configuration}, folds {', '.join(source.folds)}",
        f"  input    {channels}",
        f"  windows  {height} x {width} px, mirrored over {list(member.mirror_axes)}",
    ]
