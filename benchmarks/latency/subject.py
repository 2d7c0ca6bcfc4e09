"""Subjects: a row with a model loaded, ready to be timed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.models import Model
from benchmarks.latency.rows import Row, torch_device
from droneseg.arrays import to_numpy
from droneseg.bundle import Bundle
from droneseg.plan import InferencePlan
from droneseg.predictor import Predictor
from droneseg.tiling import Tiling

Labels = NDArray[np.uint8]


class Subject(Protocol):
    """What every row can do."""

    @property
    def precision(self) -> str:
        """What its network computes in."""
        ...

    @property
    def batch_size(self) -> int:
        """Tiles that suit it at once."""
        ...

    def tiles(self, tiles: NDArray[np.float32]) -> object:
        """Run the network alone on float32 [N, C, H, W]; done when this returns."""
        ...

    def photos(self, photos: Sequence[NDArray[np.uint8]]) -> list[Labels]:
        """Label maps of photos [H, W, 3]."""
        ...

    def network_runs(self, shapes: Sequence[tuple[int, int]]) -> int:
        """How many tiles go through the network for photos of these sizes."""
        ...


def open_subject(row: Row, model: Model, *, mirroring: bool) -> Subject:
    """Load what a row needs."""
    if not row.is_nnunet:
        return DroneSegSubject(row, model.bundle, mirroring=mirroring)
    if model.trained is None:
        raise ValueError(f"{model.title} has no trained folder")
    # nnU-Net's own switch.
    os.environ["nnUNet_compile"] = str(row.compiled)  # noqa: SIM112
    return NnunetSubject(model.trained, Bundle.load(model.bundle).plan, mirroring=mirroring)


class DroneSegSubject:
    """Predictor."""

    def __init__(self, row: Row, bundle: Path, *, mirroring: bool):
        """Open the engine; the fast mode never mirrors."""
        self._predictor = Predictor(
            bundle,
            mode=row.mode,
            engine=row.runtime,
            precision=row.precision,
            mirroring=mirroring if row.mode == "exact" else None,
        )
        self._engine = self._predictor.engines[0]
        self.precision: str = self._engine.precision
        self._plan = self._predictor.plan
        self._images = _images(self._plan, mirroring=mirroring and row.mode == "exact")
        height, width = self._plan.members[0].patch_size
        self.batch_size = max(1, self._engine.batch_pixels // (height * width))

    def tiles(self, tiles: NDArray[np.float32]) -> object:
        """See Subject."""
        on_device: Any = self._engine.xp.asarray(tiles)
        heads = self._plan.num_segmentation_heads
        out = self._engine.xp.empty((len(tiles), heads, *tiles.shape[2:]), np.float32)
        self._engine.run(on_device, out)
        # A GPU may still be at work: a value tells.
        return to_numpy(out[-1:, -1:, -1:, -1:])

    def photos(self, photos: Sequence[NDArray[np.uint8]]) -> list[Labels]:
        """See Subject."""
        return [segmentation.labels for segmentation in self._predictor.segment(photos)]

    def network_runs(self, shapes: Sequence[tuple[int, int]]) -> int:
        """See Subject."""
        return _windows(self._plan, shapes, self._predictor.tile_step_size) * self._images


class NnunetSubject:
    """nnUNetPredictor."""

    batch_size = 1

    def __init__(self, trained: Path, plan: InferencePlan, *, mirroring: bool):
        """Load the checkpoint."""
        from export.reference import Reference
        from export.trained_model import TrainedModel

        self._device = torch_device()
        self.precision = "fp16" if self._device == "cuda" else "fp32"
        self._reference = Reference(
            TrainedModel.load(trained), device=self._device, mirroring=mirroring
        )
        self._plan = plan
        self._images = _images(plan, mirroring=mirroring)

    def tiles(self, tiles: NDArray[np.float32]) -> object:
        """See Subject; as nnUNetPredictor calls the network, with autocast on a GPU."""
        import torch

        on_gpu = self._device == "cuda"
        with torch.inference_mode(), torch.autocast(self._device, enabled=on_gpu):
            network = self._reference.network.to(self._device)
            logits = network(torch.from_numpy(tiles).to(self._device))
            return logits[-1, -1, -1, -1].item()

    def photos(self, photos: Sequence[NDArray[np.uint8]]) -> list[Labels]:
        """See Subject."""
        return [self._reference.predict(photo, float32=False).labels for photo in photos]

    def network_runs(self, shapes: Sequence[tuple[int, int]]) -> int:
        """See Subject."""
        return _windows(self._plan, shapes, self._plan.tile_step_size) * self._images


def _images(plan: InferencePlan, *, mirroring: bool) -> int:
    return 2 ** len(plan.members[0].mirror_axes) if mirroring else 1


def _windows(plan: InferencePlan, shapes: Sequence[tuple[int, int]], step: float) -> int:
    patch_size = plan.members[0].patch_size
    return sum(len(Tiling.of(shape, patch_size, step)) for shape in shapes)
