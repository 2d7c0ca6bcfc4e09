"""python -m export verify BUNDLE --against TRAINED_FOLDER [IMAGE...]."""

import argparse
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from droneseg.bundle import Bundle, find_bundle
from droneseg.engines import installed_runtimes
from export.errors import ExportError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("bundle", type=Path, help="a bundle, or its name below models/")
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE",
        help="your photos, or arrays [H, W, C] in .npy files; drawn photos if there are none",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        type=Path,
        required=True,
        metavar="TRAINED_FOLDER",
        help="the trained nnU-Net, or its zip file; several for an ensemble, in its order",
    )
    parser.add_argument("--output", type=Path, help="a new folder; default: NAME-certificate")
    parser.add_argument(
        "--trust", action="store_true", help="load objects of any class, which can run code"
    )


def run(options: argparse.Namespace) -> int:
    """Write the certificate; the exit status is 1 if a bar was missed."""
    # PyTorch takes seconds to import: not before the arguments have been read.
    from droneseg.predictor import Predictor
    from export.archive import trained_folder
    from export.certificate import Certificate
    from export.photos import drawn_photos, read_photo
    from export.proof import prove
    from export.reference import Reference
    from export.trained_model import TrainedModel

    bundle = Bundle.load(find_bundle(options.bundle))
    plan = bundle.plan
    output = options.output or Path(f"{plan.name}-certificate")
    if output.exists():
        raise ExportError(f"{output} exists; --output names a new folder")
    if len(options.against) != len(plan.members):
        raise ExportError(
            f"{plan.name} was made of {len(plan.members)} trained models, --against names "
            f"{len(options.against)}"
        )
    channels = len(plan.channel_names)
    photos = [read_photo(path, channels) for path in options.images]
    with ExitStack() as stack:
        folders = [stack.enter_context(trained_folder(path)) for path in options.against]
        models = [
            TrainedModel.load(
                folder, member.source.folds, member.source.checkpoint, trust=options.trust
            )
            for folder, member in zip(folders, plan.members, strict=True)
        ]
    top = max(model.top_intensity for model in models)
    photos = photos or drawn_photos([m.patch_size for m in plan.members], channels, top)
    predictors = [Predictor(bundle, engine=name) for name in installed_runtimes()]
    with tqdm(total=len(photos), unit="photo", desc="proving against nnU-Net") as steps:
        proofs = prove(predictors, Reference(*models), photos, done=steps.update)
    sources = tuple(model.source for model in models)
    certificate = Certificate.of(plan, proofs, datetime.now(UTC).date(), sources)
    output.mkdir(parents=True)
    certificate.write(output)
    print(certificate.summary())
    print(f"{output}: certificate.html, certificate.md and certificate.json")
    return 0 if certificate.passed else 1
