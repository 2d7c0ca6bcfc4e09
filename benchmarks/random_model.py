"""Trained nnU-Net folders with random weights, as nnU-Net's trainer would leave them.

Benchmarks and tests need networks of every shape that nobody has trained.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import (
    get_normalization_scheme,
)
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from benchmarks.architectures import architecture
from droneseg.plan import Channel, Intensities
from droneseg.preprocess import preprocess
from droneseg.tiling import Tiling
from export.photos import draw_photo

# After scaling the head, the top two logits of half of the pixels are at least this far apart
# (with regions: half of the logits are this far from 0), and at least three classes take 5 % of
# the pixels each (with regions: each is found on 5 % and not on another 5 %): otherwise parity
# would say nothing.
MIN_MEDIAN_GAP = 1.0
MIN_CLASS_SHARE = 0.05
HEAD_STD = 6.0


@dataclass(frozen=True)
class TrainedFolder:
    """What to make; the defaults are a small U-Net that differs in height and width.

    Attributes:
        regions: name, labels and id of each head of a region-based model.
        channel_names: nnU-Net's planner chooses the normalisation by them.
        masked: as if cropping had cut much away: the planner then sets use_mask_for_norm.
        top: the largest intensities are about here.
    """

    architecture: str = "PlainConvUNet"
    patch_size: tuple[int, int] = (64, 48)
    folds: tuple[str, ...] = ("0",)
    mirror_axes: tuple[int, ...] | None = (0, 1)
    trainer: str = "nnUNetTrainer"
    classes: tuple[str, ...] = ("background", "roof", "road", "tree")
    regions: tuple[tuple[str, tuple[int, ...], int], ...] = ()
    ignore: bool = False
    channel_names: tuple[str, ...] = ("R", "G", "B")
    masked: bool = False
    top: float = 255.0
    features: tuple[int, ...] = (8, 12, 16)
    checkpoint_name: str = "checkpoint_final.pth"
    seed: int = 0

    @property
    def heads(self) -> int:
        return len(self.regions or self.classes)

    @property
    def tops(self) -> tuple[float, ...]:
        """The largest value of each channel: RGB of 8 bits stays so beside others."""
        return tuple(255.0 if name == "rgb_to_0_1" else self.top for name in self.channel_names)

    @property
    def channels(self) -> tuple[Channel, ...]:
        schemes = [get_normalization_scheme(name) for name in self.channel_names]
        intensities = self.intensities()
        properties = Intensities(**{name: intensities[name] for name in Intensities.__slots__})
        return tuple(
            Channel(
                name,
                scheme.__name__,
                self.masked
                and scheme.leaves_pixels_outside_mask_at_zero_if_use_mask_for_norm_is_true,
                properties,
            )
            for name, scheme in zip(self.channel_names, schemes, strict=True)
        )

    def write(self, folder: Path) -> Path:
        """Write plans.json, dataset.json and the checkpoints."""
        folder.mkdir(parents=True, exist_ok=True)
        plans, dataset = self.plans(), self.dataset()
        (folder / "plans.json").write_text(json.dumps(plans))
        (folder / "dataset.json").write_text(json.dumps(dataset))
        for index, fold in enumerate(self.folds):
            (folder / f"fold_{fold}").mkdir()
            torch.save(
                self.checkpoint(plans, dataset, fold, self.seed + index),
                folder / f"fold_{fold}" / self.checkpoint_name,
            )
        return folder

    def dataset(self) -> dict[str, Any]:
        labels: dict[str, Any] = {name: index for index, name in enumerate(self.classes)}
        if self.regions:
            labels = {"background": 0, **{name: list(values) for name, values, _ in self.regions}}
        if self.ignore:
            labels["ignore"] = len(self.classes)
        return {
            "channel_names": {str(i): name for i, name in enumerate(self.channel_names)},
            "labels": labels,
            "regions_class_order": [label_id for *_, label_id in self.regions],
            "numTraining": 1,
            "file_ending": ".png",
        }

    def intensities(self) -> dict[str, float]:
        """A fingerprint's foreground_intensity_properties of a channel."""
        shares = {
            "max": 1.0, "mean": 0.45, "median": 0.44, "min": 0.0,
            "percentile_00_5": 0.1, "percentile_99_5": 0.9, "std": 0.22,
        }  # fmt: skip
        return {name: share * self.top for name, share in shares.items()}

    def plans(self) -> dict[str, Any]:
        count = len(self.channel_names)
        return {
            "dataset_name": "Dataset001_Tiny",
            "plans_name": "nnUNetPlans",
            "image_reader_writer": "NaturalImage2DIO",
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": {
                str(i): self.intensities() for i in range(count)
            },
            "configurations": {"2d": self.configuration()},
        }

    def configuration(self) -> dict[str, Any]:
        resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
        return {
            "data_identifier": "nnUNetPlans_2d",
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2,
            "patch_size": list(self.patch_size),
            "spacing": [1.0, 1.0],
            "normalization_schemes": [channel.normalization for channel in self.channels],
            "use_mask_for_norm": [channel.use_mask_for_norm for channel in self.channels],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": resampling,
            "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
            "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
            "batch_dice": False,
            "architecture": architecture(self.architecture, self.features),
        }

    def checkpoint(
        self, plans: dict[str, Any], dataset: dict[str, Any], fold: str, seed: int
    ) -> dict[str, Any]:
        """What nnUNetTrainer.save_checkpoint stores, NumPy scalars in its log included."""
        return {
            "network_weights": self.network(seed).state_dict(),
            "optimizer_state": None,
            "grad_scaler_state": None,
            "logging": {"ema_fg_dice": [np.float64(0.5), np.float32(0.25)]},
            "_best_ema": np.float64(0.5),
            "current_epoch": 1,
            "init_args": {
                "plans": plans,
                "configuration": "2d",
                "fold": fold,
                "dataset_json": dataset,
                "device": torch.device("cpu"),
            },
            "trainer_name": self.trainer,
            "inference_allowed_mirroring_axes": self.mirror_axes,
        }

    def network(self, seed: int) -> nn.Module:
        """A network from the plans with random weights and norms and a scaled head."""
        described = architecture(self.architecture, self.features)
        torch.manual_seed(seed)
        network: nn.Module = get_network_from_plans(
            described["network_class_name"],
            described["arch_kwargs"],
            described["_kw_requires_import"],
            len(self.channel_names),
            self.heads,
            allow_init=True,
            deep_supervision=False,
        )
        randomise_norms(network.eval())
        self._scale_head(network)
        return network

    @torch.inference_mode()
    def _scale_head(self, network: nn.Module) -> None:
        """Centre and spread the logits of every head over a drawn scene, and check the result."""
        head = list(network.get_submodule("decoder.seg_layers").children())[-1]
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        tile = torch.from_numpy(self._tile())
        before = network(tile)[0]
        scale = HEAD_STD / before.std(dim=(1, 2))
        mean = before.mean(dim=(1, 2))
        head.weight *= scale[:, None, None, None]
        head.bias.copy_((head.bias - mean) * scale)
        check_logits(network(tile)[0], exclusive=not self.regions)

    def _tile(self) -> NDArray[np.float32]:
        """The normalised window of a drawn scene, float32 [1, C, H, W]."""
        photo = draw_photo(self.patch_size, 7, self.tops)
        scene = preprocess(photo, self.channels)
        tile = np.empty((1, len(self.channel_names), *self.patch_size), np.float32)
        Tiling.of(scene.box.shape, self.patch_size, 0.5).cut(scene, (0, 0), tile[0])
        return tile


@torch.no_grad()
def randomise_norms(network: nn.Module) -> None:
    """Norms that do something: as initialised, they neither scale nor shift."""
    for module in network.modules():
        if isinstance(module, _NormBase):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
            if module.running_mean is not None and module.running_var is not None:
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)


def check_logits(logits: Tensor, *, exclusive: bool) -> None:
    """Assert that the logits [K, H, W] of a scene are decided by more than noise."""
    if exclusive:
        top = logits.topk(2, dim=0).values
        counts = torch.bincount(logits.argmax(0).flatten(), minlength=len(logits))
        assert (top[0] - top[1]).median() >= MIN_MEDIAN_GAP
        share = min(MIN_CLASS_SHARE, 0.5 / len(logits))
        assert (counts >= share * logits[0].numel()).sum() >= min(3, len(logits))
    else:
        shares = (logits > 0).float().mean(dim=(1, 2))
        assert logits.abs().median() >= MIN_MEDIAN_GAP
        assert ((shares >= MIN_CLASS_SHARE) & (shares <= 1 - MIN_CLASS_SHARE)).all()
