"""DriftReport: the log against the reference, by Evidently; HTML for people, JSON for machines."""

import html
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from drift.errors import TooLittleData
from drift.reference import FRACTION, ReferenceProfile
from droneseg.prediction_record import REPORTS, PredictionRecord
from droneseg.store import Store

# Fewer predictions say little. These thresholds are those of benchmarks/results/drift.md.
MIN_RECORDS = 50
# Below it a column has drifted, by a two-sample Kolmogorov-Smirnov test. One column is an alarm:
# blur shows in nothing but the sharpness.
P_VALUE = 0.0001


@dataclass(frozen=True, slots=True)
class Column:
    """A descriptor or the share of a class.

    Attributes:
        p_value: of the Kolmogorov-Smirnov test.
        drifted: whether it is below P_VALUE.
        reference_mean, current_mean: of the profile and of the log.
    """

    name: str
    p_value: float
    drifted: bool
    reference_mean: float
    current_mean: float


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Of one window of time.

    Attributes:
        records: predictions that were looked at; `others` were of other models.
        drift_share: of the columns.
        alarm: whether any column has.
    """

    created: datetime
    since: datetime
    until: datetime
    model: str
    model_hash: str
    records: int
    others: int
    reference_photos: int
    drift_share: float
    alarm: bool
    columns: list[Column]

    def as_json(self) -> bytes:
        """For machines."""
        return TypeAdapter(DriftReport).dump_json(self, indent=2)


def frame_of(records: Sequence[PredictionRecord], columns: Sequence[str]) -> pd.DataFrame:
    """A row for each record; what a record lacks is not a number."""
    rows = [
        {**r.descriptors, **{f"{FRACTION}{name}": share for name, share in r.fractions.items()}}
        for r in records
    ]
    return pd.DataFrame(rows, columns=list(columns), dtype=float)


def compare(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[list[Column], Any]:
    """Each column, and Evidently's snapshot.

    Columns that are one and the same value in both say nothing and are left out.

    Raises:
        TooLittleData: fewer than MIN_RECORDS rows.
    """
    if len(current) < MIN_RECORDS:
        raise TooLittleData(
            f"{len(current)} predictions of this model in this time; a report needs {MIN_RECORDS}"
        )
    varying = [
        name
        for name in reference
        if pd.concat([reference[name], current[name]]).nunique(dropna=True) > 1
    ]
    snapshot = _evidently(reference[varying], current[varying])
    p_values = {
        metric["config"]["column"]: float(metric["value"])
        for metric in snapshot.dict()["metrics"]
        if "column" in metric["config"]
    }
    columns = [
        Column(
            name,
            p_values[name],
            p_values[name] < P_VALUE,
            float(reference[name].mean()),
            float(current[name].mean()),
        )
        for name in varying
    ]
    return columns, snapshot


def _evidently(reference: pd.DataFrame, current: pd.DataFrame) -> Any:
    with warnings.catch_warnings():
        # Of its own use of NumPy and pydantic.
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(numerical_columns=list(reference))
        preset = DataDriftPreset(
            num_method="ks", num_threshold=P_VALUE, drift_share=1 / reference.shape[1]
        )
        return Report([preset]).run(
            Dataset.from_pandas(current, definition), Dataset.from_pandas(reference, definition)
        )


def make_report(
    profile: ReferenceProfile,
    records: Sequence[PredictionRecord],
    others: int,
    since: datetime,
    until: datetime,
) -> tuple[DriftReport, str]:
    """The report as figures and as a page.

    Raises:
        TooLittleData: fewer than MIN_RECORDS records.
    """
    reference = pd.DataFrame(profile.columns)
    columns, snapshot = compare(reference, frame_of(records, list(reference)))
    share = sum(column.drifted for column in columns) / len(columns)
    report = DriftReport(
        created=datetime.now(UTC),
        since=since,
        until=until,
        model=profile.model,
        model_hash=profile.model_hash,
        records=len(records),
        others=others,
        reference_photos=profile.photos,
        drift_share=share,
        alarm=share > 0,
        columns=columns,
    )
    page = str(snapshot.get_html_str(as_iframe=False))
    return report, page.replace("<body>", f"<body>{_headline(report)}", 1)


def _headline(report: DriftReport) -> str:
    """What Evidently's page does not say: of what, of when, and which columns first."""
    drifted = [column.name for column in report.columns if column.drifted]
    window = f"{report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC"
    text = (
        f"{report.model}: {report.records} predictions, {window}, against "
        f"{report.reference_photos} photos. Drifted: {', '.join(drifted) or 'none'}."
    )
    return f'<p style="font: 18px sans-serif; margin: 24px">{html.escape(text)}</p>'


def publish(store: Store, report: DriftReport, page: str) -> tuple[str, str]:
    """Write both beside the log, the figures last; their addresses."""
    name = f"{REPORTS}/{report.created:%Y%m%dT%H%M%SZ}"
    store.write(f"{name}.html", page.encode())
    store.write(f"{name}.json", report.as_json())
    return store.address(f"{name}.html"), store.address(f"{name}.json")
