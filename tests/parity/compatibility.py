"""docs/compatibility.md: the matrix and what its exports measured."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS
from droneseg.verification import Verification
from export.markdown import table
from tests.parity.matrix import AXES, Row

PAGE = Path(__file__).parent.parent.parent / "docs" / "compatibility.md"
FULL_SIZE = RESULTS / "full_size.json"
REFUSED = """\
- 3D configurations and cascades
- spacings that would resample the photos, transposed axes
- more than 254 classes, labels that are not numbered 0, 1, 2, …
- a normalisation, label manager, preprocessor or image reader that is not nnU-Net's own
- weights that do not fit the network of plans.json, as a trainer that built another one leaves them
- ensembles of models with different labels or channel counts
"""


def write(results: Mapping[Row, tuple[Verification, ...]]) -> None:
    """Write the page from what the exports verified."""
    engines = [verification.engine for verification in next(iter(results.values()))]
    header = ("", *AXES, *(f"{name}: {what}" for name in engines for what in ("labels", "logits")))
    lines = [
        (str(number), *row.cells, *(cell for v in verifications for cell in _figures(v)))
        for number, (row, verifications) in enumerate(results.items(), start=1)
    ]
    first = next(iter(results.values()))[0]
    versions = ", ".join(f"{name} {number}" for name, number in first.versions.items())
    PAGE.write_text(
        "\n\n".join(
            [
                "# What is supported",
                "Each row is a model with random weights, whose head is scaled so that labels are "
                "decided by more than noise. It was exported, which compares it with nnU-Net's "
                "predictor (float32 accumulators) on three drawn photos: the share of equal labels "
                "(all photos together) and the largest difference of a logit, over the largest "
                "logit. Every pair of properties occurs in some row. The photos are small: "
                "99.9948% is one pixel.",
                table(header, lines),
                f"{first.machine}; {versions}; {datetime.now(UTC).date().isoformat()}.\n"
                "`make compatibility` writes this page; `make test` checks every row again.",
                "Normalisation is chosen by nnU-Net's planner from the names of the channels; "
                "`mixed` has a different one for each channel. `mask` is use_mask_for_norm. An "
                "`ensemble` averages two trained folders that differ in architecture, patch, "
                "normalisation and mirror axes. Pixels of 16 bits and of float32 go through "
                "arrays in the Python API. The network is always the one that plans.json "
                "describes: a trainer that changed it without changing its weights (another "
                "activation, say) cannot be told from one that did not.",
                "## At full size",
                _full_size(json.loads(FULL_SIZE.read_text())),
                "## Refused, by name, before anything is written",
                REFUSED.rstrip(),
            ]
        )
        + "\n"
    )


def read() -> list[tuple[str, ...]]:
    """The rows of the committed table, without their numbers."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines()]
    return [tuple(cell.strip() for cell in line[1:]) for line in lines if line[0].isdigit()]


def _figures(verification: Verification) -> tuple[str, str]:
    checks = verification.checks
    differing = sum(check.differing_px for check in checks)
    pixels = sum(check.height * check.width for check in checks)
    return f"{1 - differing / pixels:.4%}", f"{max(check.logit_error for check in checks):.0e}"


def _full_size(report: dict[str, Any]) -> str:
    height, width = report["patch_size"]
    rows = [
        (
            verification["engine"],
            f"{check['image']}, {check['height']} x {check['width']}",
            f"{check['agreement_reference']:.4%}",
            f"{check['logit_error']:.1e}",
            f"{check['agreement_stock']:.4%} ({check['agreement_reference_stock']:.4%})",
        )
        for verification in report["verifications"]
        for check in verification["checks"]
    ]
    header = ("engine", "photo", "labels equal", "logits", "stock nnU-Net (with itself)")
    return (
        f"ResEnc-L as nnU-Net's planner makes it for photos of 1500 x 2000 px: "
        f"{report['parameters'] / 1e6:.0f} million parameters, patch {height} x {width}, "
        f"{report['model_bytes'] / 1e6:.0f} MB, random weights "
        f"(`python -m benchmarks.full_size`, {report['export_and_proof_s'] / 60:.0f} minutes, peak "
        f"memory {report['peak_mb'] / 1000:.1f} GB).\n\n{table(header, rows)}"
    )
