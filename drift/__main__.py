"""The drift job: python -m drift reference | report."""

import argparse
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drift.errors import NoLog
from drift.log_reader import read_predictions
from drift.reference import ReferenceProfile, profile_photos
from droneseg.bundle import DEFAULT_MODEL, find_bundle
from droneseg.errors import DroneSegError
from droneseg.store import Store

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
# As the service's default.
DEFAULT_LOG = "prediction-log"


def main() -> None:
    """Run a command; errors are told without a traceback, and the exit status is then 1."""
    options = _parser().parse_args()
    try:
        options.run(options)
    except DroneSegError as error:
        sys.exit(f"[{error.code}] {error.message}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drift", description=__doc__)
    commands = parser.add_subparsers(required=True)
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument(
        "--model",
        type=Path,
        default=Path(os.environ.get("DRONESEG_MODEL", DEFAULT_MODEL)),
        help="the bundle's folder, or its name below models/; default: DRONESEG_MODEL, or "
        f"{DEFAULT_MODEL}",
    )
    reference = commands.add_parser(
        "reference", parents=[model], help="describe the photos that the model was made with"
    )
    reference.add_argument("images", type=Path, help="a folder of photos")
    reference.add_argument(
        "masks",
        type=Path,
        nargs="?",
        help="a folder of NAME.png in the classes' colours; without it the model's own predictions "
        "are taken, with which those of the log are compared best",
    )
    reference.set_defaults(run=_reference)
    report = commands.add_parser(
        "report", parents=[model], help="compare the prediction log with the reference"
    )
    report.add_argument(
        "--since", type=_duration, default="7d", help="such as 12h, 7d or 4w; default: %(default)s"
    )
    report.add_argument(
        "--log",
        default=os.environ.get("DRONESEG_LOG_URL", DEFAULT_LOG),
        help=f"a folder or gs://bucket/folder; default: DRONESEG_LOG_URL, or {DEFAULT_LOG}",
    )
    report.set_defaults(run=_report)
    return parser


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([hdw])", text)
    if not found or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text} is no time such as 12h, 7d or 4w")
    return int(found[1]) * UNITS[found[2]]


def _reference(options: argparse.Namespace) -> None:
    model = find_bundle(options.model)
    profile = profile_photos(model, options.images, options.masks)
    print(f"{profile.save(model)}: {profile.photos} photos, {len(profile.columns)} columns")


def _report(options: argparse.Namespace) -> None:
    # Evidently takes seconds to import.
    from drift.report import make_report, publish

    if options.log in ("", "-"):
        raise NoLog(f"DRONESEG_LOG_URL is '{options.log}': no log is kept; name a folder or gs://")
    profile = ReferenceProfile.load(find_bundle(options.model))
    store = Store(options.log)
    until = datetime.now(UTC)
    since = until - options.since
    found = read_predictions(store, profile.model_hash, since, until)
    report, page = make_report(profile, found.records, found.others, since, until)
    for address in publish(store, report, page):
        print(address)
    drifted = [column.name for column in report.columns if column.drifted]
    print(
        f"{len(drifted)} of {len(report.columns)} columns drifted ({report.drift_share:.0%}) over "
        f"{report.records} predictions: {', '.join(drifted) or 'none'}"
    )


if __name__ == "__main__":
    main()
