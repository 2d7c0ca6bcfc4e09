"""TrainedModel: a trained nnU-Net folder and its networks."""

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

from droneseg.plan import Channel, Intensities, Source
from export.checkpoint import Checkpoint
from export.errors import ExportError
from export.support import refuse_foreign_code, refuse_unsupported

CT, RGB_TO_01 = "CTNormalization", "RGBTo01Normalization"
TOP_8_BIT = 255.0
# What nnU-Net raises over plans.json and dataset.json that are not as it writes them.
MALFORMED = (
    AssertionError, AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


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
            refuse_unsupported(model)
            if not trust:
                refuse_foreign_code(model)
            model._require_complete()
        except MALFORMED as error:
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

    def _require_complete(self) -> None:
        """Look at what is needed later, so that what is missing is named now."""
        _ = self.channels, self.source, self.top_intensities
        _ = self.configuration.resampling_fn_data, self.configuration.resampling_fn_probabilities

    def networks(self) -> list[nn.Module]:
        """One network a fold, in evaluation mode on the CPU, from nnU-Net's own builder.

        Raises:
            ExportError: the weights do not fit the plans' architecture.
        """
        return [self._network(checkpoint) for checkpoint in self.checkpoints]

    @property
    def source(self) -> Source:
        """Where the networks came from."""
        return Source(
            nnunet_version=version("nnunetv2"),
            dataset=self.plans.dataset_name,
            trainer=self.checkpoints[0].trainer,
            configuration=self.checkpoints[0].configuration,
            folds=self.folds,
            checkpoint=self.checkpoint_name,
            checkpoint_sha256=tuple(checkpoint.sha256 for checkpoint in self.checkpoints),
        )

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The input channels, normalised as nnU-Net's planner chose by their names."""
        configuration = self.configuration
        return tuple(
            Channel(name, scheme, use_mask, self._intensities(index) if scheme == CT else None)
            for index, (name, scheme, use_mask) in enumerate(
                zip(
                    self.channel_names,
                    configuration.normalization_schemes,
                    configuration.use_mask_for_norm,
                    strict=True,
                )
            )
        )

    @property
    def top_intensities(self) -> tuple[float, ...]:
        """About the largest value of each channel: the 99.5th percentile of the training set.

        Plans without a fingerprint are taken to be of 8 bits.
        """
        properties = self.plans.foreground_intensity_properties_per_channel or {}
        return tuple(
            TOP_8_BIT
            if channel.normalization == RGB_TO_01
            else float(properties.get(str(index), {}).get("percentile_99_5", TOP_8_BIT))
            for index, channel in enumerate(self.channels)
        )

    def _intensities(self, channel: int) -> Intensities:
        properties = self.plans.foreground_intensity_properties_per_channel[str(channel)]
        fields = ("mean", "std", "percentile_00_5", "percentile_99_5")
        return Intensities(**{name: float(properties[name]) for name in fields})

    def _network(self, checkpoint: Checkpoint) -> nn.Module:
        try:
            network: nn.Module = get_network_from_plans(
                self.configuration.network_arch_class_name,
                self.configuration.network_arch_init_kwargs,
                self.configuration.network_arch_init_kwargs_req_import,
                determine_num_input_channels(self.plans, self.configuration, self.dataset),
                self.label_manager.num_segmentation_heads,
                allow_init=False,
                deep_supervision=False,
            )
        except MALFORMED as error:
            raise ExportError(f"plans.json describes no network of nnU-Net's: {error!r}") from error
        try:
            network.load_state_dict(checkpoint.weights, strict=True)
        except RuntimeError as error:
            raise ExportError(
                f"the weights do not fit the architecture that plans.json describes; a trainer "
                f"({checkpoint.trainer}) that builds another network is not supported: {error}"
            ) from error
        return network.eval()


def _find_folds(folder: Path, checkpoint_name: str) -> tuple[str, ...]:
    """As nnUNetPredictor.auto_detect_available_folds: the numbered folds that are there."""
    found = [path.parent.name for path in folder.glob(f"fold_*/{checkpoint_name}")]
    numbered = [name for name in found if re.fullmatch(r"fold_\d+", name)]
    folds = sorted(name.removeprefix("fold_") for name in numbered or found)
    if not folds:
        raise ExportError(f"{folder} has no fold with a {checkpoint_name}")
    return tuple(folds)


def _configuration(plans: PlansManager, name: str) -> ConfigurationManager:
    if name not in plans.plans["configurations"]:
        raise ExportError(f"plans.json has no configuration '{name}'")
    return plans.get_configuration(name)
