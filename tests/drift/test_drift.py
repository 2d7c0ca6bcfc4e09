"""The drift job: reference, log, report; what the service shows of it."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import ks_2samp

from drift.reference import ReferenceProfile
from drift.report import P_VALUE, compare
from droneseg.bundle import Bundle
from droneseg.descriptors import describe_photo
from droneseg.prediction_record import PredictionRecord, batch_name
from droneseg.scene import draw_scene
from droneseg.store import Store
from tests.service.gcs import BUCKET, emulator
from tests.service.server import ROOT, serve

NOW = datetime.now(UTC)
PHOTOS = 24


def drift(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drift", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(PHOTOS):
        Image.fromarray(draw_scene(60, 80, seed)).save(folder / f"{seed:02}.png")
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def model(two_folds_bundle: Bundle, photos: Path) -> Path:
    """The small model, with a reference profile."""
    done = drift("reference", photos, "--model", two_folds_bundle.path)
    assert f"{PHOTOS} photos" in done.stdout, done.stderr
    return two_folds_bundle.path


def write_log(
    url: str, model: Path, shift: float = 1.0, days_ago: float = 1, count: int = 60
) -> None:
    """Predictions of the photos of the profile, some of which are written twice."""
    profile = ReferenceProfile.load(model)
    rng = np.random.default_rng(0)
    records = []
    for index in rng.integers(PHOTOS, size=count):
        row = {name: values[index] for name, values in profile.columns.items()}
        photo = (draw_scene(60, 80, int(index)) * shift).astype(np.uint8)
        fractions = {k.removeprefix("fraction_"): v for k, v in row.items() if "fraction" in k}
        records.append(a_record(profile.model_hash, photo, fractions, days_ago))
    name = batch_name(records[0].time, uuid.uuid4().hex)
    lines = [record.as_json() for record in [*records, *records[:5]]]
    Store(url).write(name, b"\n".join(lines))


def a_record(
    model_hash: str, photo: Any, fractions: dict[str, float], days_ago: float
) -> PredictionRecord:
    return PredictionRecord(
        id=uuid.uuid4().hex,
        time=NOW - timedelta(days=days_ago),
        request_id="r",
        model="two_folds",
        model_hash=model_hash,
        mode="exact",
        engine="e",
        precision="fp32",
        width=80,
        height=60,
        descriptors=describe_photo(photo, "RGB"),
        fractions=fractions,
    )


def newest(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(sorted((folder / "drift").glob("*.json"))[-1].read_text())
    return report


def test_the_profile_describes_each_photo(model: Path, two_folds_bundle: Bundle) -> None:
    profile = ReferenceProfile.load(model)
    assert (profile.photos, profile.fractions_of) == (PHOTOS, "predictions")
    assert profile.model_hash == two_folds_bundle.plan.content_hash
    expected = describe_photo(draw_scene(60, 80, 3), "RGB")
    assert {name: profile.columns[name][3] for name in expected} == expected
    shares = [values for name, values in profile.columns.items() if name.startswith("fraction_")]
    np.testing.assert_allclose(np.sum(shares, axis=0), 1, atol=1e-5)
    # The bundle is what it was.
    assert Bundle.load(model).plan == two_folds_bundle.plan


def test_masks_can_give_the_fractions(model: Path, photos: Path, tmp_path: Path) -> None:
    kept = (model / "reference.json").read_bytes()
    labels = Bundle.load(model).plan.labels
    for seed in range(PHOTOS):
        mask = np.full((60, 80, 3), labels[1].rgb, np.uint8)
        mask[:15] = labels[2].rgb
        Image.fromarray(mask).save(tmp_path / f"{seed:02}.png")
    assert drift("reference", photos, tmp_path, "--model", model).returncode == 0
    profile = ReferenceProfile.load(model)
    (model / "reference.json").write_bytes(kept)
    assert profile.fractions_of == "masks"
    assert profile.columns[f"fraction_{labels[2].name}"] == [0.25] * PHOTOS


def test_photos_like_those_of_the_profile_have_not_drifted(model: Path, tmp_path: Path) -> None:
    write_log(str(tmp_path), model)
    write_log(str(tmp_path), model, shift=0.5, days_ago=20)
    done = drift("report", "--model", model, DRONESEG_LOG_URL=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "columns drifted (0%) over 60 predictions: none" in done.stdout
    report = newest(tmp_path)
    assert (report["drift_share"], report["alarm"], report["records"]) == (0, False, 60)
    for line in done.stdout.splitlines()[:2]:
        assert Path(line).is_file()


def test_darker_photos_have(model: Path, tmp_path: Path) -> None:
    write_log(str(tmp_path), model, shift=0.5)
    done = drift("report", "--model", model, "--log", tmp_path, "--since", "2d")
    assert "brightness" in done.stdout, done.stderr
    report = newest(tmp_path)
    assert report["alarm"] is True
    drifted = {column["name"] for column in report["columns"] if column["drifted"]}
    assert {"brightness", "mean_R", "dark_channel"} <= drifted
    assert not any(name.startswith("fraction") for name in drifted)


def test_the_test_is_that_of_the_benchmark() -> None:
    rng = np.random.default_rng(0)
    reference = pd.DataFrame(
        {"same": rng.normal(size=60), "shifted": rng.normal(size=60), "0": 0.0}
    )
    current = pd.DataFrame(
        {"same": rng.normal(size=80), "shifted": rng.normal(2, size=80), "0": 0.0}
    )
    columns, _ = compare(reference, current)
    assert [column.name for column in columns] == ["same", "shifted"]
    for column in columns:
        expected = ks_2samp(reference[column.name], current[column.name]).pvalue
        assert column.p_value == pytest.approx(expected)
        assert column.drifted == (expected < P_VALUE)
    assert [column.drifted for column in columns] == [False, True]


def test_errors_say_what_to_do(
    model: Path, one_axis_bundle: Bundle, photos: Path, tmp_path: Path
) -> None:
    def refused(code: str, hint: str, *arguments: object) -> None:
        done = drift(*arguments)
        assert done.returncode == 1
        assert f"[{code}]" in done.stderr
        assert hint in done.stderr
        assert "Traceback" not in done.stderr

    report = ("report", "--log", tmp_path, "--model")
    refused("no_reference", "python -m drift reference", *report, one_axis_bundle.path)
    refused("too_little_data", "a report needs 50", *report, model)
    write_log(str(tmp_path), model, count=10)
    refused("too_little_data", "10 predictions of this model", *report, model)
    refused("no_log", "DRONESEG_LOG_URL", "report", "--log", "-", "--model", model)
    one = tmp_path / "one"
    one.mkdir()
    Image.fromarray(draw_scene(60, 80, 0)).save(one / "a.png")
    refused("too_little_data", "1 photos", "reference", one, "--model", model)
    foreign = (model / "reference.json").read_text().replace('"model_hash": "', '"model_hash": "0')
    (one_axis_bundle.path / "reference.json").write_text(foreign)
    refused("no_reference", "of another model", *report, one_axis_bundle.path)
    (one_axis_bundle.path / "reference.json").unlink()


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with emulator():
        yield f"gs://{BUCKET}/watched"


@pytest.mark.service
def test_the_service_shows_the_newest_report(model: Path, bucket: str, tmp_path: Path) -> None:
    with serve(tmp_path, DRONESEG_MODEL=str(model), DRONESEG_LOG_URL=bucket) as server:
        server.wait_until(lambda: httpx.get(f"{server.url}/livez").status_code == 200)
        none = httpx.get(f"{server.url}/drift", timeout=60)
        assert (none.status_code, none.json()["code"]) == (404, "no_drift_report")
        assert "python -m drift report" in none.json()["message"]
        write_log(bucket, model, shift=0.5)
        done = drift("report", "--model", model, "--log", bucket)
        page, figures = done.stdout.splitlines()[:2]
        assert page.startswith(f"{bucket}/drift/")
        report = httpx.get(f"{server.url}/drift", timeout=60)
        assert report.json()["alarm"] is True
        assert report.json() == json.loads(Store(bucket).read(figures.removeprefix(f"{bucket}/")))
        html = httpx.get(f"{server.url}/drift", headers={"Accept": "text/html"}, timeout=60)
        assert html.headers["content-type"].startswith("text/html")
        assert "sandbox" in html.headers["content-security-policy"]
        assert "two_folds: 60 predictions" in html.text
        assert "Dataset Drift is detected" in html.text


@pytest.mark.service
def test_the_default_model_has_a_profile(default_bundle: Bundle) -> None:
    profile = ReferenceProfile.load(default_bundle.path)
    assert profile.photos == 63
    assert "fraction_building" in profile.columns
