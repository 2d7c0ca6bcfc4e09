"""locustfile.py, against the real service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from droneseg.bundle import Bundle
from tests.service.server import ROOT, Server, serve

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("loaded")
    with serve(folder, DRONESEG_MODEL=str(two_folds_bundle.path)) as running:
        running.wait_until_ready()
        yield running


def locust(server: Server, model: Path, report: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "locust", "--headless", "--only-summary", "--shape", "spike"),
            *("--users", "4", "--run-time", "12s", "--host", server.url, "--html", str(report)),
        ],
        cwd=ROOT,
        env=os.environ | {"DRONESEG_MODEL": str(model)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_request_fails_and_a_report_is_kept(
    server: Server, two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    done = locust(server, two_folds_bundle.path, tmp_path / "load.html")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/predict" in (tmp_path / "load.html").read_text()


def test_masks_of_another_model_are_failures(
    server: Server, one_axis_bundle: Bundle, tmp_path: Path
) -> None:
    done = locust(server, one_axis_bundle.path, tmp_path / "load.html")
    assert done.returncode == 1
    assert "the mask is not that of the photo" in done.stdout + done.stderr
