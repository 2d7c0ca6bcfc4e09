"""Writes a bundle: in a hidden folder beside its place, proven, and only then moved there."""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from droneseg.bundle import CARD_FILE, PLAN_FILE, Bundle, Probes, sha256
from droneseg.engines import installed_runtimes
from droneseg.errors import UnsupportedNetwork
from droneseg.plan import InferencePlan, Member
from droneseg.predictor import Predictor
from droneseg.preprocess import preprocess
from droneseg.tiling import Tiling
from export.card import model_card
from export.certificate import Certificate
from export.ensemble import inference_plan
from export.errors import ExportError
from export.onnx_model import FoldMean, write_onnx
from export.photos import Photo, draw_photo, drawn_photos
from export.proof import prove
from export.reference import Reference
from export.trained_model import TrainedModel

PROBE_SEEDS = (11, 12)
# Coprime to the strides of any U-Net, so that every phase of the upsampling is sampled.
PROBE_STRIDE = 3
# Probe tiles are stored as float16, whose largest number is 65504.
MAX_PROBE_VALUE = 60_000


@dataclass(frozen=True)
class BundleWriter:
    """What a bundle is made of: one trained model, or several to be averaged."""

    models: Sequence[TrainedModel]
    name: str
    colors: dict[str, str]
    notes: str = ""

    def write(self, output: Path, photos: Sequence[Photo] = ()) -> Bundle:
        """Export, prove and publish.

        Args:
            output: the folder that appears, whole or not at all.
            photos: proven on beside the drawn ones.

        Raises:
            ExportError: the folder exists.
            UnsupportedModel: the models cannot be averaged.
            ProofFailed: nnU-Net's predictor disagrees; nothing is written.
        """
        if output.exists():
            raise ExportError(f"{output} exists; a bundle never changes: choose another name")
        plan = inference_plan(self.models, self.name, self.colors)
        output.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        try:
            self._draft(plan, draft, photos)
            draft.chmod(0o755)
            draft.rename(output)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return Bundle.load(output)

    def _draft(self, plan: InferencePlan, folder: Path, photos: Sequence[Photo]) -> None:
        photos = [*self._drawn_photos(plan), *photos]
        with tqdm(total=len(plan.members) + len(photos), unit="step") as steps:
            files: list[str] = []
            for model, member in zip(self.models, plan.members, strict=True):
                steps.set_description(f"writing {member.model}")
                files += _write_member(model, plan, member, folder)
                steps.update()
            steps.set_description("proving against nnU-Net")
            self._prove(_seal(plan, folder, files), photos, steps)

    def _prove(self, draft: Bundle, photos: Sequence[Photo], steps: "tqdm[NoReturn]") -> None:
        proofs = prove(_predictors(draft), Reference(*self.models), photos, done=steps.update)
        for proof in proofs:
            proof.require()
        certificate = Certificate.of(draft.plan, proofs, datetime.now(UTC).date())
        plan = replace(draft.plan, verifications=certificate.verifications)
        files = certificate.write(draft.path)
        (draft.path / CARD_FILE).write_text(model_card(plan, self.notes), encoding="utf-8")
        _seal(plan, draft.path, [*plan.files, *files, CARD_FILE])

    def _drawn_photos(self, plan: InferencePlan) -> list[Photo]:
        patch_sizes = [member.patch_size for member in plan.members]
        return drawn_photos(patch_sizes, self.models[0].top_intensities)


def _predictors(draft: Bundle) -> list[Predictor]:
    """One for each runtime that computes these networks; in float32 on a GPU, too, as the bars."""
    predictors = []
    for runtime in installed_runtimes():
        with suppress(UnsupportedNetwork):
            predictors.append(Predictor(draft, engine=runtime, precision="fp32"))
    return predictors or [Predictor(draft, precision="fp32")]


def _write_member(
    model: TrainedModel, plan: InferencePlan, member: Member, folder: Path
) -> list[str]:
    """Write the network and its probe tiles; returns the files' names."""
    network = FoldMean(model.networks()).eval()
    files = write_onnx(network, plan, member, folder / member.model)
    record_probes(network, plan, member, model.top_intensities).save(folder / member.probes)
    return [*files, member.probes]


def record_probes(
    network: nn.Module, plan: InferencePlan, member: Member, tops: Sequence[float]
) -> Probes:
    """Cut tiles from drawn scenes and let PyTorch say what their logits are."""
    channels, patch_size = member.channels, member.patch_size
    tiles = np.empty((len(PROBE_SEEDS), len(channels), *patch_size), np.float32)
    for seed, tile in zip(PROBE_SEEDS, tiles, strict=True):
        image = preprocess(draw_photo(patch_size, seed, tops), channels)
        Tiling.of(image.box.shape, patch_size, plan.tile_step_size).cut(image, (0, 0), tile)
    halves = np.clip(tiles, -MAX_PROBE_VALUE, MAX_PROBE_VALUE).astype(np.float16)
    with torch.inference_mode():
        logits = network(torch.from_numpy(halves.astype(np.float32))).numpy()
    return Probes(halves, logits[:, :, ::PROBE_STRIDE, ::PROBE_STRIDE], PROBE_STRIDE)


def _seal(plan: InferencePlan, folder: Path, files: Iterable[str]) -> Bundle:
    """Write plan.json with the hashes of the files."""
    sealed = replace(plan, files={name: sha256(folder / name) for name in files}).sealed()
    sealed.save(folder / PLAN_FILE)
    return Bundle.load(folder)
