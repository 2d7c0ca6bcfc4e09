"""python -m export TRAINED_FOLDER --output models/NAME, and what can be done with a bundle."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from droneseg.errors import DroneSegError
from export import tensorrt, triton, verify
from export.errors import ExportError


class Command(Protocol):
    """A module of export that runs on a bundle."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What the command takes."""

    def run(self, options: argparse.Namespace) -> int:
        """Run it; returns the exit status."""


COMMANDS: dict[str, Command] = {"verify": verify, "triton": triton, "tensorrt": tensorrt}
EPILOG = """
for a bundle:
  python -m export verify BUNDLE --against TRAINED_FOLDER [IMAGE ...]
                        a parity certificate on your own photos
  python -m export triton BUNDLE --output DIR
                        a model repository for NVIDIA's Triton server
  python -m export tensorrt BUNDLE [--precision fp16|fp32] [--targets SM89,SM120]
                        engines for NVIDIA GPUs, which need not be here
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status is 1 if it could not be done, or a bar was missed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in COMMANDS:
            return _run_command(*arguments)
        return _export(_parser().parse_args(arguments))
    except DroneSegError as error:
        print(f"error [{error.code}]: {error.message}", file=sys.stderr)
    except OSError as error:
        print(f"error [io_error]: {error}", file=sys.stderr)
    return 1


def _run_command(name: str, *arguments: str) -> int:
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"python -m export {name}", description=command.__doc__)
    command.add_arguments(parser)
    # Options may stand before, between and after the photos.
    return command.run(parser.parse_intermixed_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Export a trained nnU-Net v2 (2D) to a bundle, and prove that it gives the "
        "label maps of nnU-Net's own predictor. Nothing is written if it does not.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "trained_folders",
        nargs="+",
        type=Path,
        metavar="TRAINED_FOLDER",
        help="holds plans.json, dataset.json and fold_N; or a zip file of "
        "nnUNetv2_export_model_to_zip; several make an ensemble",
    )
    parser.add_argument("--output", type=Path, required=True, help="the new bundle: models/NAME")
    parser.add_argument(
        "--folds", nargs="+", default=(), metavar="FOLD", help="default: every fold that is there"
    )
    parser.add_argument(
        "--checkpoint", default="checkpoint_final.pth", metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="load objects of any class and build networks of any module: this can run code that "
        "the folder brings or names",
    )
    parser.add_argument(
        "--colors", nargs="+", default=(), metavar="CLASS=#RRGGBB", help="colours of the classes"
    )
    parser.add_argument(
        "--images",
        nargs="+",
        type=Path,
        default=(),
        metavar="IMAGE",
        help="prove on these photos, too, or on arrays [H, W, C] in .npy files",
    )
    parser.add_argument(
        "--notes", type=Path, metavar="FILE", help="Markdown for the model card: data, training"
    )
    return parser


def _export(options: argparse.Namespace) -> int:
    # PyTorch takes seconds to import: not before the arguments have been read.
    from export.archive import trained_folder
    from export.photos import read_photo
    from export.trained_model import TrainedModel
    from export.writer import BundleWriter

    notes = options.notes.read_text(encoding="utf-8") if options.notes else ""
    colors = _colors(options.colors)
    with ExitStack() as stack:
        models = [
            TrainedModel.load(
                stack.enter_context(trained_folder(path)),
                tuple(options.folds),
                options.checkpoint,
                trust=options.trust,
            )
            for path in options.trained_folders
        ]
    photos = [read_photo(path, models[0].channels) for path in options.images]
    bundle = BundleWriter(models, options.output.name, colors, notes).write(options.output, photos)
    plan = bundle.plan
    print(f"{bundle.path}: {plan.name} {plan.content_hash[:12]}")
    for verification in plan.verifications:
        print(verification.summary())
    return 0


def _colors(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise ExportError(f"--colors '{pair}' is not CLASS=#RRGGBB")
    return dict(pair.split("=", 1) for pair in pairs)


if __name__ == "__main__":
    sys.exit(main())
