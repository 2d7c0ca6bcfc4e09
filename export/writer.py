"""Writes a bundle: in a hidden folder beside its place, proven, and only then moved there."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from droneseg.bundle import CARD_FILE, MODEL_FILE, PLAN_FILE, PROBES_FILE, Bundle, Probes, sha256
from droneseg.plan import InferencePlan
from droneseg.predictor import Predictor
from droneseg.preprocess import preprocess
from droneseg.scene import draw_scene
from droneseg.tiling import Tiling
from export.card import model_card
from export.errors import ExportError
from export.onnx_model import FoldMean, write_onnx
from export.proof import Photo, drawn_photos, prove
from export.reference import Reference
from export.trained_model import TrainedModel

PROBE_SEEDS = (11, 12)
# Coprime to the strides of any U-Net, so that every phase of the upsampling is sampled.
PROBE_STRIDE = 3


@dataclass(frozen=True)
class BundleWriter:
    """What a bundle is made of."""

    model: TrainedModel
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
            ProofFailed: nnU-Net's predictor disagrees; nothing is written.
        """
        if output.exists():
            raise ExportError(f"{output} exists; a bundle never changes: choose another name")
        output.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        try:
            self._draft(draft, photos)
            draft.chmod(0o755)
            draft.rename(output)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return Bundle.load(output)

    def _draft(self, folder: Path, photos: Sequence[Photo]) -> None:
        plan = self.model.inference_plan(self.name, self.colors)
        photos = [*drawn_photos(plan.patch_size), *photos]
        steps = tqdm(total=2 + len(photos), unit="step", desc="writing ONNX")
        with steps:
            network = FoldMean(self.model.networks()).eval()
            write_onnx(network, plan, folder / MODEL_FILE)
            steps.update()
            steps.set_description("recording probe tiles")
            record_probes(network, plan).save(folder / PROBES_FILE)
            steps.update()
            steps.set_description("proving against nnU-Net")
            draft = _seal(plan, folder, (MODEL_FILE, PROBES_FILE))
            verification = prove(Predictor(draft), Reference(self.model), photos, done=steps.update)
        proven = replace(plan, verification=verification)
        (folder / CARD_FILE).write_text(model_card(proven, self.notes), encoding="utf-8")
        _seal(proven, folder, (MODEL_FILE, PROBES_FILE, CARD_FILE))


def record_probes(network: nn.Module, plan: InferencePlan) -> Probes:
    """Cut tiles from drawn scenes and let PyTorch say what their logits are."""
    scenes = [draw_scene(*plan.patch_size, seed=seed) for seed in PROBE_SEEDS]
    tiles = np.empty((len(scenes), len(plan.channels), *plan.patch_size), np.float32)
    for scene, tile in zip(scenes, tiles, strict=True):
        image = preprocess(scene)
        tiling = Tiling.of(image.box.shape, plan.patch_size, plan.tile_step_size)
        tiling.cut(image, (0, 0), tile)
    halves = tiles.astype(np.float16)
    with torch.inference_mode():
        logits = network(torch.from_numpy(halves.astype(np.float32))).numpy()
    return Probes(halves, logits[:, :, ::PROBE_STRIDE, ::PROBE_STRIDE], PROBE_STRIDE)


def _seal(plan: InferencePlan, folder: Path, files: tuple[str, ...]) -> Bundle:
    """Write plan.json with the hashes of the files."""
    sealed = replace(plan, files={name: sha256(folder / name) for name in files}).sealed()
    sealed.save(folder / PLAN_FILE)
    return Bundle.load(folder)
