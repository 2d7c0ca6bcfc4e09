"""Trained nnU-Net folders with random weights, as nnU-Net's trainer would leave them.

Benchmarks and tests need networks of every shape that nobody has trained.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from torch import nn

from droneseg.preprocess import preprocess
from droneseg.scene import draw_scene
from droneseg.tiling import Tiling

# After scaling the head, the top two logits of half of the pixels are at least this far apart,
# and at least three classes take 5 % of the pixels each: otherwise parity would say nothing.
MIN_MEDIAN_GAP = 1.0
MIN_CLASS_SHARE = 0.05
HEAD_STD = 6.0


@dataclass(frozen=True)
class TrainedFolder:
    """What to make; the defaults are a small U-Net that differs in height and width."""

    patch_size: tuple[int, int] = (64, 48)
    folds: tuple[str, ...] = ("0",)
    mirror_axes: tuple[int, ...] | None = (0, 1)
    trainer: str = "nnUNetTrainer"
    classes: tuple[str, ...] = ("background", "roof", "road", "tree")
    ignore: bool = False
    features: tuple[int, ...] = (8, 12, 16)
    seed: int = 0

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
                folder / f"fold_{fold}" / "checkpoint_final.pth",
            )
        return folder

    def dataset(self) -> dict[str, Any]:
        labels = {name: index for index, name in enumerate(self.classes)}
        if self.ignore:
            labels["ignore"] = len(labels)
        return {
            "channel_names": {"0": "R", "1": "G", "2": "B"},
            "labels": labels,
            "numTraining": 1,
            "file_ending": ".png",
        }

    def plans(self) -> dict[str, Any]:
        intensity = dict.fromkeys(
            ("max", "mean", "median", "min", "percentile_00_5", "percentile_99_5", "std"), 1.0
        )
        return {
            "dataset_name": "Dataset001_Tiny",
            "plans_name": "nnUNetPlans",
            "image_reader_writer": "NaturalImage2DIO",
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": {str(i): intensity for i in range(3)},
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
            "normalization_schemes": ["ZScoreNormalization"] * 3,
            "use_mask_for_norm": [False] * 3,
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": resampling,
            "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
            "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
            "batch_dice": False,
            "architecture": self.architecture(),
        }

    def architecture(self) -> dict[str, Any]:
        stages = len(self.features)
        return {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": stages,
                "features_per_stage": list(self.features),
                "conv_op": "torch.nn.modules.conv.Conv2d",
                "kernel_sizes": [[3, 3]] * stages,
                "strides": [[1, 1], *[[2, 2]] * (stages - 1)],
                "n_conv_per_stage": [2] * stages,
                "n_conv_per_stage_decoder": [2] * (stages - 1),
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
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
        """A network from the plans with random weights and a scaled head."""
        architecture = self.architecture()
        torch.manual_seed(seed)
        network: nn.Module = get_network_from_plans(
            architecture["network_class_name"],
            architecture["arch_kwargs"],
            architecture["_kw_requires_import"],
            3,
            len(self.classes),
            allow_init=True,
            deep_supervision=False,
        )
        scale_head(network.eval(), self.patch_size)
        return network


def scale_head(network: nn.Module, patch_size: tuple[int, int]) -> None:
    """Centre and spread the logits of every class over a drawn scene, and check the result."""
    head = list(network.get_submodule("decoder.seg_layers").children())[-1]
    assert isinstance(head, nn.Conv2d)
    assert head.bias is not None
    scene = preprocess(draw_scene(*patch_size, seed=7))
    tile = np.empty((1, 3, *patch_size), np.float32)
    Tiling.of(scene.box.shape, patch_size, 0.5).cut(scene, (0, 0), tile[0])
    with torch.inference_mode():
        before = network(torch.from_numpy(tile))[0]
        scale = HEAD_STD / before.std(dim=(1, 2))
        mean = before.mean(dim=(1, 2))
        head.weight *= scale[:, None, None, None]
        head.bias.copy_((head.bias - mean) * scale)
        logits = network(torch.from_numpy(tile))[0]
        top = logits.topk(2, dim=0).values
        shares = (
            torch.bincount(logits.argmax(0).flatten(), minlength=len(logits)) / logits[0].numel()
        )
    assert (top[0] - top[1]).median() >= MIN_MEDIAN_GAP
    assert (shares >= MIN_CLASS_SHARE).sum() >= 3
