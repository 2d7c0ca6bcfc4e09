"""The model card: plan.json for people."""

from droneseg.plan import ImageCheck, InferencePlan


def model_card(plan: InferencePlan, notes: str) -> str:
    """README.md of a bundle.

    Args:
        plan: with its verification.
        notes: Markdown about the data, the training and what the model is good for.
    """
    source = plan.source
    sections = [
        f"# {plan.name}",
        f"{source.dataset}, configuration {source.configuration}, "
        f"{_plural(len(source.folds), 'fold')} ({', '.join(source.folds)}), "
        f"{source.trainer}, {source.checkpoint}; exported with nnU-Net {source.nnunet_version}.",
        notes.strip(),
        "## Classes",
        _table(
            ("id", "name", "colour"),
            [(str(label.id), label.name, label.color) for label in plan.labels],
        ),
        "## Input",
        f"{len(plan.channels)} channels ({', '.join(c.name for c in plan.channels)}), "
        f"{plan.channels[0].normalization}; windows of "
        f"{plan.patch_size[0]} x {plan.patch_size[1]} px with a step of {plan.tile_step_size}, "
        f"mirrored over the axes {list(plan.mirror_axes)}.",
        "## Verified at the export",
        _verification(plan),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _verification(plan: InferencePlan) -> str:
    if plan.verification is None:
        return ""
    rows = [_row(check) for check in plan.verification.checks]
    header = ("photo", "size", "labels equal", "largest logit error", "labels equal, stock")
    versions = ", ".join(f"{k} {v}" for k, v in plan.verification.versions.items())
    return (
        "Compared with nnUNetPredictor, its accumulators in float32, and with nnUNetPredictor as "
        f"it is (stock); {plan.verification.engine}; {versions}.\n\n{_table(header, rows)}"
    )


def _row(check: ImageCheck) -> tuple[str, ...]:
    return (
        check.image,
        f"{check.height} x {check.width}",
        f"{check.agreement_reference:.4%}",
        f"{check.logit_error:.1e}",
        f"{check.agreement_stock:.4%} (nnU-Net with itself {check.agreement_reference_stock:.4%})",
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
