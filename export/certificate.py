"""The certificate: what the proof measured, as one page in Markdown, HTML and JSON."""

import base64
import html
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from droneseg.plan import InferencePlan, Source
from droneseg.verification import ImageCheck, Verification
from export.differences import Picture, draw_differences
from export.markdown import escape, table
from export.proof import MAX_LOGIT_ERROR, MIN_AGREEMENT, STOCK_SLACK, Proof

NAME = "certificate"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { border: 1px solid #d0d7de; padding: .3rem .6rem; text-align: left; white-space: nowrap; }
th { background: #f3f5f7; }
code { font-size: .85em; overflow-wrap: anywhere; }
img { max-width: 100%; border: 1px solid #d0d7de; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9ec; background: #14171a; } th { background: #22272b; }
  th, td, img { border-color: #3b434b; }
}
"""


@dataclass(frozen=True)
class Certificate:
    """How a bundle compared with nnU-Net, for each engine, and where labels differ."""

    plan: InferencePlan
    sources: tuple[Source, ...]
    day: date
    verifications: tuple[Verification, ...]
    failures: tuple[str, ...]
    pictures: tuple[Picture, ...]

    @classmethod
    def of(
        cls,
        plan: InferencePlan,
        proofs: Sequence[Proof],
        day: date,
        sources: tuple[Source, ...] | None = None,
        failures: tuple[str, ...] = (),
    ) -> "Certificate":
        """Certify what the proofs say of a bundle.

        Args:
            plan: of the bundle, with the hashes of its files.
            proofs: of every engine, on the same photos.
            day: of the proofs.
            sources: what nnU-Net's predictor ran; the sources of the plan if None.
            failures: of engines that could not be compared.
        """
        return cls(
            plan=plan,
            sources=sources or tuple(member.source for member in plan.members),
            day=day,
            verifications=tuple(proof.verification() for proof in proofs),
            failures=(*failures, *(proof.failure for proof in proofs if proof.failure)),
            pictures=draw_differences(proofs, plan.labels),
        )

    @property
    def passed(self) -> bool:
        """Whether every engine met every bar."""
        return not self.failures

    def write(self, folder: Path) -> list[str]:
        """Write certificate.md, .html and .json and the pictures; returns the files' names."""
        for picture in self.pictures:
            (folder / picture.file).write_bytes(picture.png)
        markdown = self.markdown()
        files = {
            f"{NAME}.md": markdown,
            f"{NAME}.html": self._html(markdown),
            f"{NAME}.json": json.dumps(self._json(), indent=2, ensure_ascii=False, allow_nan=False)
            + "\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [*files, *(picture.file for picture in self.pictures)]

    def summary(self) -> str:
        """A line for each engine and photo, and the bars that were missed, for a terminal."""
        figures = [verification.summary() for verification in self.verifications]
        return "\n".join([*figures, *(f"  missed: {failure}" for failure in self.failures)])

    def markdown(self) -> str:
        """The page."""
        sections = [
            f"# Parity certificate: {escape(self.plan.name)}",
            f"**{'Passed' if self.passed else 'FAILED'}** on {self.day.isoformat()}, "
            f"with {len(self.verifications[0].checks)} photos.",
            *(f"- {escape(failure)}" for failure in self.failures),
            _bars(),
            *(_engine(verification) for verification in self.verifications),
            self._differences(),
            self._origin(),
        ]
        return "\n\n".join(sections) + "\n"

    def _differences(self) -> str:
        return "\n\n".join(
            [
                "## Where labels differ",
                "Drawn over the dimmed label map of nnU-Net: white, where the bundle differs from "
                "nnU-Net with float32 accumulators, by any engine; pink, where nnU-Net as it is "
                "differs from itself with float32 accumulators. Marks are wider than a pixel.",
                *(
                    f"{escape(p.caption)}\n\n![{escape(p.caption)}]({p.file})"
                    for p in self.pictures
                ),
            ]
        )

    def _origin(self) -> str:
        rows = [
            (f"`{member.model}`", f"`{self.plan.files[member.model]}`")
            for member in self.plan.members
        ]
        for source in self.sources:
            rows += [
                (
                    escape(
                        f"{source.dataset}, {source.trainer}, {source.configuration}, "
                        f"fold {fold}, {source.checkpoint}"
                    ),
                    f"`{digest}`",
                )
                for fold, digest in zip(source.folds, source.checkpoint_sha256, strict=True)
            ]
        return f"## Files\n\n{table(('file', 'SHA-256'), rows)}"

    def _html(self, markdown: str) -> str:
        body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
        for picture in self.pictures:
            data = base64.b64encode(picture.png).decode("ascii")
            body = body.replace(f'src="{picture.file}"', f'src="data:image/png;base64,{data}"')
        title = html.escape(f"Parity certificate: {self.plan.name}")
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
            f"<style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
        )

    def _json(self) -> dict[str, object]:
        plan = self.plan
        return {
            "bundle": plan.name,
            "passed": self.passed,
            "failures": self.failures,
            "day": self.day.isoformat(),
            "bars": {
                "min_agreement_reference": MIN_AGREEMENT,
                "max_logit_error": MAX_LOGIT_ERROR,
                "stock_slack": STOCK_SLACK,
            },
            "verifications": _finite([asdict(verification) for verification in self.verifications]),
            "sources": [asdict(source) for source in self.sources],
            "files": {m.model: plan.files[m.model] for m in plan.members},
        }


def _finite(value: Any) -> Any:
    """JSON has no infinity, which is the error of logits of another shape: null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _bars() -> str:
    return (
        "Compared with nnUNetPredictor. Its accumulators are float16, which alone flips near-ties, "
        "so the bars are against nnU-Net with **float32** accumulators: at least "
        f"{MIN_AGREEMENT:.3%} of the labels equal (or all but one), logits within "
        f"{MAX_LOGIT_ERROR:.0e} of the largest; and against **stock** nnU-Net: no more "
        f"disagreement than it has with its own float32 self, plus {STOCK_SLACK:.3%}."
    )


def _engine(verification: Verification) -> str:
    checks = verification.checks
    header = (
        "photo", "size", "labels equal", "differing px", "logit error", "labels equal, stock",
        "nnU-Net with itself",
    )  # fmt: skip
    versions = ", ".join(f"{name} {number}" for name, number in verification.versions.items())
    names = list(dict.fromkeys(name for check in checks for name in check.dice))
    photos = tuple(escape(check.image) for check in checks)
    rows = [(escape(n), *(_dice(check, n) for check in checks)) for n in names]
    return "\n\n".join(
        [
            f"## {verification.engine}",
            table(header, [_check_row(check) for check in checks]),
            "Dice of each class with nnU-Net (float32 accumulators):",
            table(("class", *photos), rows),
            f"{verification.machine}; {versions}.",
        ]
    )


def _check_row(check: ImageCheck) -> tuple[str, ...]:
    """The cells of a photo."""
    return (
        escape(check.image),
        f"{check.height} x {check.width}",
        f"{check.agreement_reference:.4%}",
        str(check.differing_px),
        f"{check.logit_error:.1e}",
        f"{check.agreement_stock:.4%}",
        f"{check.agreement_reference_stock:.4%}",
    )


def _dice(check: ImageCheck, name: str) -> str:
    return f"{check.dice[name]:.6f}" if name in check.dice else "absent"
