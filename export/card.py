"""The model card: plan.json for people."""

from droneseg.plan import InferencePlan, Member
from export.certificate import NAME
from export.markdown import escape, table


def model_card(plan: InferencePlan, notes: str) -> str:
    """README.md of a bundle.

    Args:
        plan: with its verifications.
        notes: Markdown about the data, the training and what the model is good for.
    """
    sections = [
        f"# {plan.name}",
        "\n\n".join(_source(member) for member in plan.members),
        "The probabilities of these models are averaged." if len(plan.members) > 1 else "",
        notes.strip(),
        "## Classes",
        table(
            ("id", "name", "colour"),
            [(str(label.id), escape(label.name), label.color) for label in plan.labels],
        ),
        _regions(plan),
        "## Input",
        *(_input(member) for member in plan.members),
        _verification(plan),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _source(member: Member) -> str:
    source = member.source
    return (
        f"{source.dataset}, configuration {source.configuration}, "
        f"{_plural(len(source.folds), 'fold')} ({', '.join(source.folds)}), "
        f"{source.trainer}, {source.checkpoint}; exported with nnU-Net {source.nnunet_version}."
    )


def _regions(plan: InferencePlan) -> str:
    if not plan.regions:
        return ""
    rows = [(escape(r.name), ", ".join(map(str, r.labels)), str(r.id)) for r in plan.regions]
    return "Regions, painted in this order:\n\n" + table(("region", "of labels", "id"), rows)


def _input(member: Member) -> str:
    rows = [
        (
            escape(channel.name),
            channel.normalization + (" over non-zero pixels" if channel.use_mask_for_norm else ""),
        )
        for channel in member.channels
    ]
    height, width = member.patch_size
    return (
        f"{table(('channel', 'normalisation'), rows)}\n\nWindows of {height} x {width} px, "
        f"mirrored over the axes {list(member.mirror_axes)}."
    )


def _verification(plan: InferencePlan) -> str:
    lines = [
        f"- {verification.engine}: at least "
        f"{min(check.agreement_reference for check in verification.checks):.4%} of the labels of "
        f"each of {_plural(len(verification.checks), 'photo')} equal to nnU-Net's with float32 "
        f"accumulators, logits within {max(c.logit_error for c in verification.checks):.1e}"
        for verification in plan.verifications
    ]
    if not lines:
        return ""
    page = f"[{NAME}.md]({NAME}.md) has the figures of every photo, and where labels differ."
    return "\n".join(["## Verified at the export", "", *lines, "", page])


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
