"""droneseg info: what a model is, for a terminal."""

from droneseg.plan import InferencePlan, Member


def describe(plan: InferencePlan) -> str:
    """Where a model comes from, what it takes and gives, and what was proven."""
    lines = [
        f"{plan.name}  {plan.content_hash[:12]}",
        *(line for member in plan.members for line in _describe_member(member)),
        *(f"  class {label.id:<3}{label.color}  {label.name}" for label in plan.labels),
        *(
            f"  verified {verification.engine}: at least "
            f"{min(check.agreement_reference for check in verification.checks):.4%} of the labels "
            "equal to nnU-Net's"
            for verification in plan.verifications
        ),
    ]
    return "\n".join(lines)


def _describe_member(member: Member) -> list[str]:
    source = member.source
    channels = ", ".join(f"{c.name} ({c.normalization})" for c in member.channels)
    height, width = member.patch_size
    return [
        f"  from     {source.dataset}, {source.configuration}, folds {', '.join(source.folds)}",
        f"  input    {channels}",
        f"  windows  {height} x {width} px, mirrored over {list(member.mirror_axes)}",
    ]
