"""Labels and regions of a plan, from dataset.json."""

from typing import Any

from droneseg.plan import Label, Region
from export.colors import label_colors

IGNORE = "ignore"


def declared_labels(dataset: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The labels that each class or region covers, without the ignore label, in their order."""
    declared = {name: value for name, value in dataset["labels"].items() if name != IGNORE}
    return {
        name: tuple(int(v) for v in (value if isinstance(value, (list, tuple)) else [value]))
        for name, value in declared.items()
    }


def plan_regions(dataset: dict[str, Any]) -> tuple[Region, ...]:
    """A region for each head, in nnU-Net's order: LabelManager._get_regions."""
    foreground = {
        name: labels for name, labels in declared_labels(dataset).items() if set(labels) != {0}
    }
    return tuple(
        Region(name, labels, int(label_id))
        for (name, labels), label_id in zip(
            foreground.items(), dataset["regions_class_order"], strict=True
        )
    )


def plan_labels(
    dataset: dict[str, Any], regions: tuple[Region, ...], colors: dict[str, str]
) -> tuple[Label, ...]:
    """The values of the label map: the classes, or what regions leave when painted.

    Raises:
        ExportError: a colour is malformed or for a class that the model lacks.
    """
    ids: dict[int, list[str]] = {0: ["background"]}
    if regions:
        for region in regions:
            ids.setdefault(region.id, []).append(region.name)
    else:
        ids = {labels[0]: [name] for name, labels in declared_labels(dataset).items()}
    names = {label_id: " / ".join(ids[label_id]) for label_id in sorted(ids)}
    return tuple(
        Label(label_id, name, color)
        for (label_id, name), color in zip(
            names.items(), label_colors(list(names.values()), colors).values(), strict=True
        )
    )
