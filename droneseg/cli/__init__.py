"""droneseg predict | info."""

import argparse
import os
import sys
from pathlib import Path
from typing import get_args

from droneseg.bundle import DEFAULT_MODEL, Bundle, find_bundle
from droneseg.cli.info import describe
from droneseg.cli.photos import find_photos
from droneseg.cli.predict import PredictCommand
from droneseg.cli.sources import LocalModel, Service, Source
from droneseg.engines import RUNTIMES
from droneseg.errors import DroneSegError, InvalidOption
from droneseg.mode import Mode, Precision

# What Predictor takes by the same names, where they are given.
OVERRIDES = ("engine", "precision", "mirroring", "tile_step_size", "threads")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status is 1 if anything could not be done."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "info":
            print(describe(_bundle(options).plan))
            return 0
        return PredictCommand(find_photos(options.images), options.output).run(_source(options))
    except DroneSegError as error:
        print(f"error [{error.code}]: {error.message}", file=sys.stderr)
    except OSError as error:
        print(f"error [io_error]: {error}", file=sys.stderr)
    return 1


def _bundle(options: argparse.Namespace) -> Bundle:
    return Bundle.load(find_bundle(options.model))


def _source(options: argparse.Namespace) -> Source:
    overrides = {name: value for name in OVERRIDES if (value := getattr(options, name)) is not None}
    if options.url is None:
        return LocalModel(_bundle(options), mode=options.mode, **overrides)
    if overrides:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in overrides)
        raise InvalidOption(f"{names}: a service decides that itself; with --url there is --mode")
    return Service(options.url, options.api_key, options.mode)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="droneseg", description="Segment aerial photos with a trained nnU-Net."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser("predict", help="segment photos")
    predict.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="photos, folders of photos (those below them are not taken), or quoted globs "
        "('photos/**/*.jpg')",
    )
    predict.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="NAME_labels.png, NAME_color.png and NAME_overlay.png are written here",
    )
    where = predict.add_mutually_exclusive_group()
    where.add_argument("--url", help="ask a service, such as http://localhost:3000")
    _add_model(where)
    predict.add_argument(
        "--api-key",
        default=os.environ.get("DRONESEG_API_KEY"),
        metavar="KEY",
        help="for a service that wants one; default: $DRONESEG_API_KEY",
    )
    _add_overrides(predict)
    _add_model(commands.add_parser("info", help="say what a model is"))
    return parser


def _add_overrides(predict: argparse.ArgumentParser) -> None:
    group = predict.add_argument_group("how", "what a mode chooses can be overridden")
    group.add_argument(
        "--mode",
        choices=get_args(Mode),
        default="exact",
        help="exact: nnU-Net's own settings (default); fast: other labels here and there",
    )
    group.add_argument("--engine", choices=RUNTIMES, help="default: the best of this machine")
    group.add_argument("--precision", choices=get_args(Precision), help="of the network")
    group.add_argument("--mirroring", action=argparse.BooleanOptionalAction)
    group.add_argument(
        "--tile-step-size", type=float, metavar="SHARE", help="of a patch; nnU-Net's is 0.5"
    )
    group.add_argument("--threads", type=int, help="on a CPU; default: all cores")


def _add_model(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--model",
        type=Path,
        default=Path(os.environ.get("DRONESEG_MODEL", DEFAULT_MODEL)),
        metavar="DIR",
        help=f"a bundle, or its name below models/; default: $DRONESEG_MODEL or {DEFAULT_MODEL}",
    )
