"""What of nnU-Net the runtime matches exactly; anything else is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from droneseg.plan import Scheme
from export.errors import UnsupportedModel, UntrustedPlans
from export.labels import declared_labels

if TYPE_CHECKING:
    from export.trained_model import TrainedModel

SCHEMES = get_args(Scheme)
MAX_CLASSES = 254
ARCHITECTURES = "dynamic_network_architectures."


def refuse_unsupported(model: TrainedModel) -> None:
    """Raise UnsupportedModel for the first thing that the runtime would not match exactly."""
    for checks in (_plans, _inputs, _labels):
        for unsupported, what in checks(model):
            if unsupported:
                raise UnsupportedModel(f"{what}: not supported; nothing was written")


def refuse_foreign_code(model: TrainedModel) -> None:
    """Raise UntrustedPlans: nnU-Net imports and calls whatever plans.json names as a class."""
    configuration = model.configuration
    arguments = configuration.network_arch_init_kwargs
    named = [arguments[key] for key in configuration.network_arch_init_kwargs_req_import]
    foreign = [name for name in named if name and not name.startswith("torch.nn.")]
    if not configuration.network_arch_class_name.startswith(ARCHITECTURES):
        foreign.append(configuration.network_arch_class_name)
    if foreign:
        raise UntrustedPlans(
            f"plans.json builds its network from {', '.join(foreign)}, which is code from outside "
            f"of torch.nn and {ARCHITECTURES[:-1]}. If you trust who made it, export with --trust"
        )


def _plans(model: TrainedModel) -> list[tuple[bool, str]]:
    plans, configuration = model.plans.plans, model.configuration
    patch_size, spacing = list(configuration.patch_size), list(configuration.spacing)
    previous, preprocessor = configuration.previous_stage_name, configuration.preprocessor_name
    transpose = list(plans["transpose_forward"])
    label_manager = plans.get("label_manager", "LabelManager")
    return [
        (label_manager != "LabelManager", f"the label manager {label_manager}"),
        (len(patch_size) != 2, f"a 3D configuration, with patch size {patch_size}"),
        (previous is not None, f"a cascade on top of {previous}"),
        (preprocessor != "DefaultPreprocessor", f"the preprocessor {preprocessor}"),
        (transpose != [0, 1, 2], f"axes transposed by the plans, {transpose}"),
        (
            [float(value) for value in spacing] != [1.0, 1.0],
            f"the spacing {spacing}, which would resample the photos",
        ),
    ]


def _labels(model: TrainedModel) -> list[tuple[bool, str]]:
    declared = declared_labels(model.dataset)
    values = sorted({value for labels in declared.values() for value in labels})
    softmax = not model.label_manager.has_regions
    order = [] if softmax else list(model.dataset["regions_class_order"])
    return [
        (
            len(values) > MAX_CLASSES,
            f"{len(values)} classes, where a label map of 8 bits holds {MAX_CLASSES} and the "
            "ignore label",
        ),
        (
            values[-1] > MAX_CLASSES,
            f"the label {values[-1]}, above the {MAX_CLASSES} of a label map of 8 bits",
        ),
        (
            any(not 0 <= label_id <= MAX_CLASSES for label_id in order),
            f"the regions_class_order {order}, not all from 0 to {MAX_CLASSES}",
        ),
        (
            softmax and values != list(range(len(declared))),
            f"labels that are not numbered 0 to {len(declared) - 1}, {declared}",
        ),
    ]


def _inputs(model: TrainedModel) -> list[tuple[bool, str]]:
    reader = model.plans.plans["image_reader_writer"]
    schemes = list(model.configuration.normalization_schemes)
    unknown = [scheme for scheme in schemes if scheme not in SCHEMES]
    return [
        (reader != "NaturalImage2DIO", f"images read by {reader}, not NaturalImage2DIO"),
        (
            len(schemes) != len(model.channel_names),
            f"{len(schemes)} normalization schemes for {len(model.channel_names)} channels",
        ),
        (bool(unknown), f"the normalization {', '.join(unknown)}, which is not nnU-Net's own"),
    ]
