"""python -m export TRAINED_FOLDER --output models/NAME."""

import argparse
import sys
from pathlib import Path

from droneseg.bundle import Bundle
from droneseg.errors import DroneSegError
from droneseg.images import decode_image
from droneseg.plan import Verification


def main(arguments: list[str] | None = None) -> int:
    """Export a trained nnU-Net; the exit status is 1 if nothing was written."""
    options = _parser().parse_args(arguments)
    try:
        bundle = _export(options)
    except DroneSegError as error:
        print(f"error [{error.code}]: {error.message}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error [io_error]: {error}", file=sys.stderr)
        return 1
    print(f"{bundle.path}: {bundle.plan.name} {bundle.plan.content_hash[:12]}")
    if bundle.plan.verification:
        print(_summary(bundle.plan.verification))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Export a trained nnU-Net v2 (2D, RGB photos) to a bundle, and prove that it "
        "gives the label maps of nnU-Net's own predictor. Nothing is written if it does not.",
    )
    parser.add_argument(
        "trained_folder", type=Path, help="holds plans.json, dataset.json and fold_N"
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
        "--images", nargs="+", type=Path, default=(), help="prove on these photos, too"
    )
    parser.add_argument(
        "--notes", type=Path, metavar="FILE", help="Markdown for the model card: data, training"
    )
    return parser


def _export(options: argparse.Namespace) -> Bundle:
    # PyTorch takes seconds to import: not before the arguments have been read.
    from export.proof import Photo
    from export.trained_model import TrainedModel
    from export.writer import BundleWriter

    photos = [Photo(path.name, decode_image(path.read_bytes())) for path in options.images]
    notes = options.notes.read_text(encoding="utf-8") if options.notes else ""
    model = TrainedModel.load(
        options.trained_folder,
        tuple(options.folds),
        options.checkpoint,
        trust=options.trust,
    )
    writer = BundleWriter(model, options.output.name, _colors(options.colors), notes)
    return writer.write(options.output, photos)


def _colors(pairs: list[str]) -> dict[str, str]:
    from export.errors import ExportError

    for pair in pairs:
        if "=" not in pair:
            raise ExportError(f"--colors '{pair}' is not CLASS=#RRGGBB")
    return dict(pair.split("=", 1) for pair in pairs)


def _summary(verification: Verification) -> str:
    """One line for each photo of the proof."""
    return "\n".join(
        f"  {check.image} ({check.height}x{check.width}): {check.agreement_reference:.4%} of the "
        f"labels equal, logits within {check.logit_error:.1e}; stock nnU-Net "
        f"{check.agreement_stock:.4%} (with itself {check.agreement_reference_stock:.4%})"
        for check in verification.checks
    )


if __name__ == "__main__":
    sys.exit(main())
