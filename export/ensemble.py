"""The plan of a bundle, from one trained model or from several that are averaged."""

from collections.abc import Sequence

from droneseg.plan import SCHEMA_VERSION, InferencePlan, Member
from export.errors import UnsupportedModel
from export.labels import declared_labels, plan_labels, plan_regions
from export.trained_model import TrainedModel

# nnUNetPredictor's defaults.
TILE_STEP_SIZE = 0.5
GAUSSIAN_SIGMA_SCALE = 1 / 8


def inference_plan(
    models: Sequence[TrainedModel], name: str, colors: dict[str, str]
) -> InferencePlan:
    """The plan for a bundle of this name, without files and verifications.

    Args:
        models: at least one.
        name: of the bundle.
        colors: `#RRGGBB` by the name of a class.

    Raises:
        UnsupportedModel: the models do not share labels or number of channels.
        ExportError: a colour is malformed or for a class that the model lacks.
    """
    first = models[0]
    for other in models[1:]:
        _require_same(first, other)
    dataset = first.dataset
    regions = plan_regions(dataset) if first.label_manager.has_regions else ()
    return InferencePlan(
        schema_version=SCHEMA_VERSION,
        name=name,
        labels=plan_labels(dataset, regions, colors),
        ignore_label=first.label_manager.ignore_label,
        regions=regions,
        members=tuple(
            _member(model, f"_{index}" if len(models) > 1 else "")
            for index, model in enumerate(models)
        ),
        tile_step_size=TILE_STEP_SIZE,
        gaussian_sigma_scale=GAUSSIAN_SIGMA_SCALE,
    )


def _member(model: TrainedModel, suffix: str) -> Member:
    height, width = model.configuration.patch_size
    return Member(
        model=f"model{suffix}.onnx",
        probes=f"probes{suffix}.npz",
        channels=model.channels,
        patch_size=(int(height), int(width)),
        mirror_axes=model.checkpoints[0].mirror_axes,
        source=model.source,
    )


def _require_same(first: TrainedModel, other: TrainedModel) -> None:
    """nnU-Net's ensemble averages by position, so that positions must mean the same."""
    for what, ours, theirs in (
        ("labels", _labels(first), _labels(other)),
        ("numbers of channels", len(first.channels), len(other.channels)),
    ):
        if ours != theirs:
            raise UnsupportedModel(
                f"an ensemble of models with different {what}, {ours} in "
                f"{first.plans.dataset_name} and {theirs} in {other.plans.dataset_name}: "
                "not supported; nothing was written"
            )


def _labels(model: TrainedModel) -> tuple[object, object, object]:
    order = model.dataset.get("regions_class_order") if model.label_manager.has_regions else None
    return list(declared_labels(model.dataset).items()), order, model.label_manager.ignore_label
