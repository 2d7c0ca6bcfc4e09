"""TrainedModel: a trained nnU-Net folder, its networks, and what of it is supported."""

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from batchgenerators.utilities.file_and_folder_operations import load_json
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.label_handling.label_handling import (
    LabelManager,
    determine_num_input_channels,
)
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from droneseg.plan import SCHEMA_VERSION, Channel, InferencePlan, Label, Source
from export.checkpoint import Checkpoint
from export.colors import label_colors
from export.errors import ExportError, UnsupportedModel, UntrustedPlans

# nnUNetPredictor's defaults.
TILE_STEP_SIZE = 0.5
GAUSSIAN_SIGMA_SCALE = 1 / 8
MAX_CLASSES = 254
# Protobuf's limit, with room for the graph.
MAX_WEIGHT_BYTES = 2_000_000_000
ARCHITECTURES = "dynamic_network_architectures."


@dataclass(frozen=True)
class TrainedModel:
    """The parts of nnU-Net that describe a trained model, and the checkpoints of its folds."""

    folder: Path
    plans: PlansManager
    configuration: ConfigurationManager
    dataset: dict[str, Any]
    folds: tuple[str, ...]
    checkpoint_name: str
    checkpoints: tuple[Checkpoint, ...]

    @classmethod
    def load(
        cls,
        folder: Path,
        folds: tuple[str, ...] = (),
        checkpoint_name: str = "checkpoint_final.pth",
        *,
        trust: bool = False,
    ) -> "TrainedModel":
        """Read a folder as nnU-Net's training leaves it.

        Args:
            folder: holds plans.json, dataset.json and fold_N.
            folds: numbers or `all`; every fold that has the checkpoint if empty.
            checkpoint_name: the file in each fold.
            trust: unpickle objects of any class and build networks from any module; both can run
                code that the folder brings or names.

        Raises:
            ExportError: something is missing.
            UnsupportedModel: the model uses what the runtime does not match yet.
        """
        for required in ("plans.json", "dataset.json"):
            if not (folder / required).is_file():
                raise ExportError(f"{folder} is no trained nnU-Net folder: it has no {required}")
        folds = folds or _find_folds(folder, checkpoint_name)
        checkpoints = tuple(
            Checkpoint.load(folder / f"fold_{fold}" / checkpoint_name, trust=trust)
            for fold in folds
        )
        try:
            plans = PlansManager(str(folder / "plans.json"))
            model = cls(
                folder,
                plans,
                _configuration(plans, checkpoints[0].configuration),
                load_json(str(folder / "dataset.json")),
                folds,
                checkpoint_name,
                checkpoints,
            )
            model._refuse_unsupported()
            if not trust:
                model._refuse_foreign_code()
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(
                f"{folder}: plans.json or dataset.json is not as nnU-Net writes it: {error!r}"
            ) from error
        return model

    @property
    def label_manager(self) -> LabelManager:
        """nnU-Net's own view of the labels."""
        return self.plans.get_label_manager(self.dataset)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the input channels in order."""
        names = self.dataset.get("channel_names") or self.dataset["modality"]
        return tuple(names[key] for key in sorted(names, key=int))

    def networks(self) -> list[nn.Module]:
        """One network a fold, in evaluation mode on the CPU, from nnU-Net's own builder.

        Raises:
            ExportError: the weights do not fit the plans' architecture.
        """
        return [self._network(checkpoint) for checkpoint in self.checkpoints]

    def inference_plan(self, name: str, colors: dict[str, str]) -> InferencePlan:
        """The plan for a bundle of this name, without files and verification."""
        labels = {k: v for k, v in self.dataset["labels"].items() if k != "ignore"}
        names = sorted(labels, key=lambda label: int(labels[label]))
        return InferencePlan(
            schema_version=SCHEMA_VERSION,
            name=name,
            labels=tuple(
                Label(int(labels[label]), label, color)
                for label, color in label_colors(names, colors).items()
            ),
            ignore_label=self.label_manager.ignore_label,
            channels=tuple(
                Channel(channel, scheme)
                for channel, scheme in zip(
                    self.channel_names, self.configuration.normalization_schemes, strict=True
                )
            ),
            patch_size=tuple(self.configuration.patch_size),
            tile_step_size=TILE_STEP_SIZE,
            gaussian_sigma_scale=GAUSSIAN_SIGMA_SCALE,
            mirror_axes=self.checkpoints[0].mirror_axes,
            source=Source(
                nnunet_version=version("nnunetv2"),
                dataset=self.plans.dataset_name,
                trainer=self.checkpoints[0].trainer,
                configuration=self.checkpoints[0].configuration,
                folds=self.folds,
                checkpoint=self.checkpoint_name,
                checkpoint_sha256=tuple(c.sha256 for c in self.checkpoints),
            ),
        )

    def _network(self, checkpoint: Checkpoint) -> nn.Module:
        network: nn.Module = get_network_from_plans(
            self.configuration.network_arch_class_name,
            self.configuration.network_arch_init_kwargs,
            self.configuration.network_arch_init_kwargs_req_import,
            determine_num_input_channels(self.plans, self.configuration, self.dataset),
            self.label_manager.num_segmentation_heads,
            allow_init=False,
            deep_supervision=False,
        )
        try:
            network.load_state_dict(checkpoint.weights, strict=True)
        except RuntimeError as error:
            raise ExportError(
                f"the weights do not fit the architecture that plans.json describes; a trainer "
                f"({checkpoint.trainer}) that builds another network is not supported: {error}"
            ) from error
        return network.eval()

    def _weight_bytes(self) -> int:
        """Bytes of all folds; nnU-Net's state dicts name shared tensors several times."""
        tensors = {
            tensor.data_ptr(): tensor.nbytes
            for checkpoint in self.checkpoints
            for tensor in checkpoint.weights.values()
        }
        return sum(tensors.values())

    def _refuse_unsupported(self) -> None:
        """Name the first thing that the runtime would not match exactly."""
        for unsupported, what in self._checks():
            if unsupported:
                raise UnsupportedModel(f"{what} (not supported yet; nothing was written)")

    def _refuse_foreign_code(self) -> None:
        """nnU-Net imports and calls whatever plans.json names as a class."""
        configuration = self.configuration
        arguments = configuration.network_arch_init_kwargs
        named = [arguments[key] for key in configuration.network_arch_init_kwargs_req_import]
        foreign = [name for name in named if name and not name.startswith("torch.nn.")]
        if not configuration.network_arch_class_name.startswith(ARCHITECTURES):
            foreign.append(configuration.network_arch_class_name)
        if foreign:
            raise UntrustedPlans(
                f"plans.json builds its network from {', '.join(foreign)}, which is code from "
                f"outside of torch.nn and {ARCHITECTURES[:-1]}. If you trust who made it, export "
                "with --trust"
            )

    def _checks(self) -> list[tuple[bool, str]]:
        plans, configuration = self.plans.plans, self.configuration
        schemes = list(configuration.normalization_schemes)
        labels = {k: v for k, v in self.dataset["labels"].items() if k != "ignore"}
        patch_size = list(configuration.patch_size)
        reader, preprocessor = plans["image_reader_writer"], configuration.preprocessor_name
        return [
            (len(patch_size) != 2, f"the configuration is 3D: patch size {patch_size}"),
            (
                configuration.previous_stage_name is not None,
                f"the model is a cascade on top of {configuration.previous_stage_name}",
            ),
            (self.label_manager.has_regions, "the labels are regions (sigmoid, not softmax)"),
            (
                sorted(map(str, labels.values())) != sorted(map(str, range(len(labels)))),
                f"the labels are not numbered 0 to {len(labels) - 1}: {labels}",
            ),
            (len(labels) > MAX_CLASSES, f"{len(labels)} classes; at most {MAX_CLASSES} fit"),
            (
                self._weight_bytes() > MAX_WEIGHT_BYTES,
                f"the weights of {len(self.folds)} folds take {self._weight_bytes() / 1e9:.1f} GB; "
                "an ONNX file holds 2 GB",
            ),
            (plans.get("label_manager", "LabelManager") != "LabelManager", "a custom LabelManager"),
            (reader != "NaturalImage2DIO", f"the images are read by {reader}"),
            (preprocessor != "DefaultPreprocessor", f"the preprocessor is {preprocessor}"),
            (
                list(plans["transpose_forward"]) != [0, 1, 2],
                f"the plans transpose the axes: {plans['transpose_forward']}",
            ),
            (
                [float(value) for value in configuration.spacing] != [1.0, 1.0],
                f"the spacing {configuration.spacing} would resample the photos",
            ),
            (
                len(self.channel_names) != 3,
                f"{len(self.channel_names)} channels {list(self.channel_names)}; RGB has 3",
            ),
            (
                set(schemes) != {"ZScoreNormalization"},
                f"the normalization schemes are {schemes}, not ZScoreNormalization",
            ),
            (any(configuration.use_mask_for_norm), "use_mask_for_norm is set"),
            (
                len({c.mirror_axes for c in self.checkpoints}) > 1,
                "the folds allow different mirror axes",
            ),
        ]


def _find_folds(folder: Path, checkpoint_name: str) -> tuple[str, ...]:
    """As nnUNetPredictor.auto_detect_available_folds: the numbered folds that are there."""
    found = [path.parent.name for path in folder.glob(f"fold_*/{checkpoint_name}")]
    numbered = [name for name in found if re.fullmatch(r"fold_\d+", name)]
    folds = sorted(name.removeprefix("fold_") for name in numbered or found)
    if not folds:
        raise ExportError(f"{folder} has no fold with a {checkpoint_name}")
    return tuple(folds)


def _configuration(plans: PlansManager, name: str) -> ConfigurationManager:
    try:
        return plans.get_configuration(name)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ExportError(f"plans.json has no configuration '{name}'") from error
