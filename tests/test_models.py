"""The default model comes with the repository: offline, with or without git."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from droneseg.bundle import Bundle
from tests.gcs import emulator

ROOT = Path(__file__).parent.parent


def dvc(folder: Path, *arguments: str, **environment: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    subprocess.run(command, cwd=folder, env=os.environ | environment, check=True)


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    """What DVC needs of the repository, without .git and without a cache."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", tmp_path / ".dvc")
    shutil.copy(ROOT / "models.dvc", tmp_path)
    shutil.copytree(ROOT / "model-store", tmp_path / "model-store")
    return tmp_path


def test_dvc_pull_works_without_git_and_network(tarball: Path, default_bundle: Bundle) -> None:
    dvc(tarball, "pull")
    assert Bundle.load(tarball / "models" / "dubai_aerial").plan == default_bundle.plan


def test_pulling_the_default_model_leaves_other_models_alone(tarball: Path) -> None:
    mine = tarball / "models" / "mine" / "plan.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    dvc(tarball, "pull", "models/dubai_aerial")
    assert mine.read_text() == "mine"
    Bundle.load(tarball / "models" / "dubai_aerial")


def test_a_model_published_to_a_bucket_is_pulled_from_there(
    tarball: Path, default_bundle: Bundle
) -> None:
    """The commands of CONTRIBUTING.md; without model-store/, the bucket is all there is."""
    with emulator("models") as url:
        environment = {"STORAGE_EMULATOR_HOST": url, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
        dvc(tarball, "pull")
        dvc(tarball, "remote", "modify", "--local", "gcs", "url", "gs://models/droneseg")
        dvc(tarball, "push", "--remote", "gcs", **environment)
        for folder in ("models", "model-store", ".dvc/cache"):
            shutil.rmtree(tarball / folder)
        dvc(tarball, "pull", "--remote", "gcs", **environment)
    assert Bundle.load(tarball / "models" / "dubai_aerial").plan == default_bundle.plan


def test_the_store_holds_each_file_under_its_hash() -> None:
    files = [path for path in (ROOT / "model-store").rglob("*") if path.is_file()]
    assert files
    for path in files:
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        assert path.parent.name + path.name.removesuffix(".dir") == digest
