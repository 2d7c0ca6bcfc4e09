"""python -m export verify BUNDLE --against TRAINED_FOLDER [IMAGE...]."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from droneseg.bundle import Bundle, find_bundle
from droneseg.engines import installed_runtimes
from droneseg.errors import EngineFailed, EngineMismatch, UnsupportedNetwork
from droneseg.plan import InferencePlan
from droneseg.predictor import Predictor
from export.errors import ExportError

if TYPE_CHECKING:
    from export.certificate import Certificate
    from export.trained_model import TrainedModel


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
        action="append",
        type=Path,
        required=True,
        metavar="TRAINED_FOLDER",
        help="the trained nnU-Net, or its zip file; once more for each other member of an ensemble",
    )
    parser.add_argument("--output", type=Path, help="a new folder; default: NAME-certificate")
    parser.add_argument(
        "--trust", action="store_true", help="load objects of any class, which can run code"
    )


def run(options: argparse.Namespace) -> int:
    """Write the certificate; the exit status is 1 if a bar was missed.

    Raises:
        ExportError: the folder exists, or a trained model is not what the bundle was made of.
        EngineMismatch: an installed runtime does not reproduce the probe tiles.
    """
    bundle = Bundle.load(find_bundle(options.bundle))
    output = options.output or Path(f"{bundle.plan.name}-certificate")
    if output.exists():
        raise ExportError(f"{output} exists; --output names a new folder")
    models = _load_models(bundle.plan, options.against, trust=options.trust)
    certificate = _certify(bundle, models, options.images)
    output.mkdir(parents=True)
    certificate.write(output)
    print(certificate.summary())
    print(f"{output}: certificate.html, certificate.md and certificate.json")
    return 0 if certificate.passed else 1


def _load_models(plan: InferencePlan, paths: list[Path], *, trust: bool) -> list[TrainedModel]:
    """The trained models, with the folds and checkpoints that the bundle was made of."""
    # PyTorch takes seconds to import: not before the arguments have been read.
    from export.archive import trained_folder
    from export.trained_model import TrainedModel

    if len(paths) != len(plan.members):
        raise ExportError(
            f"{plan.name} was made of {len(plan.members)} trained models, --against names "
            f"{len(paths)}"
        )
    models = []
    for path, member in zip(paths, plan.members, strict=True):
        source, channels = member.source, len(member.channels)
        with trained_folder(path) as folder:
            model = TrainedModel.load(folder, source.folds, source.checkpoint, trust=trust)
        if len(model.channels) != channels:
            raise ExportError(
                f"{path} takes {len(model.channels)} channels, {plan.name} {channels}: it is not "
                "the model that the bundle was made of"
            )
        models.append(model)
    return models


def _certify(bundle: Bundle, models: list[TrainedModel], images: list[Path]) -> Certificate:
    """Compare every installed runtime with nnU-Net's predictor, on the images or drawn photos."""
    from export.certificate import Certificate
    from export.photos import drawn_photos, read_photo
    from export.proof import prove
    from export.reference import Reference

    plan = bundle.plan
    photos = [read_photo(path, plan.members[0].channels) for path in images] or drawn_photos(
        [member.patch_size for member in plan.members], models[0].top_intensities
    )
    predictors, failures = _open_engines(bundle)
    with tqdm(total=len(photos), unit="photo", desc="proving against nnU-Net") as steps:
        proofs = prove(predictors, Reference(*models), photos, done=steps.update)
    sources = tuple(model.source for model in models)
    return Certificate.of(plan, proofs, datetime.now(UTC).date(), sources, failures)


def _open_engines(bundle: Bundle) -> tuple[list[Predictor], tuple[str, ...]]:
    """A predictor for each installed runtime, and why others do not even reproduce the probes.

    Raises:
        EngineFailed, EngineMismatch, EngineNotInstalled: there is none.
    """
    predictors, failures = [], []
    for runtime in installed_runtimes():
        try:
            # In float32 on a GPU, too: the bars are those of float32.
            predictors.append(Predictor(bundle, engine=runtime, precision="fp32"))
        except UnsupportedNetwork:
            continue
        except (EngineFailed, EngineMismatch) as error:
            failures.append(error.message)
    return predictors or [Predictor(bundle, precision="fp32")], tuple(failures)
