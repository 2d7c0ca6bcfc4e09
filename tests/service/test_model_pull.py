"""DRONESEG_DVC_PULL: the model comes from a bucket, whole and as models.dvc names it, or not."""

import shutil
import socket
from pathlib import Path

import httpx
import pytest

from droneseg.bundle import Bundle
from tests.gcs import emulator, upload
from tests.service.server import ROOT, STOP_S, serve

pytestmark = pytest.mark.service

STORE = ROOT / "model-store"


def settings(folder: Path, remote: object) -> dict[str, str]:
    return {
        "DRONESEG_DVC_PULL": "1",
        "DRONESEG_DVC_REMOTE": str(remote),
        "DRONESEG_CACHE": str(folder / "cache"),
    }


def test_the_model_comes_from_a_bucket(tmp_path: Path, default_bundle: Bundle) -> None:
    with emulator("models") as url:
        for file in STORE.rglob("*"):
            if file.is_file():
                upload(url, "models", f"droneseg/{file.relative_to(STORE)}", file.read_bytes())
        environment = settings(tmp_path, "gs://models/droneseg")
        with serve(tmp_path, STORAGE_EMULATOR_HOST=url, **environment) as server:
            server.wait_until_ready()
            info = httpx.get(f"{server.url}/model_info").json()
    assert info["hash"] == default_bundle.plan.content_hash
    (pulled,) = (tmp_path / "cache" / "models").glob("*/dubai_aerial")
    assert Bundle.load(pulled).plan == default_bundle.plan


def test_an_altered_file_is_not_served(tmp_path: Path) -> None:
    store = Path(shutil.copytree(STORE, tmp_path / "store"))
    largest = max(store.rglob("*"), key=lambda path: path.stat().st_size)
    largest.chmod(0o644)
    largest.write_bytes(b"another" + largest.read_bytes())
    with serve(tmp_path, **settings(tmp_path, store)) as server:
        assert server.process.wait(STOP_S) != 0
        assert "[model_not_pulled]" in server.log.read_text()
        assert "is not what its name says" in server.log.read_text()
    assert not list((tmp_path / "cache" / "models").glob("*/*"))


def test_a_bucket_that_does_not_answer_ends_the_server_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = settings(tmp_path, "gs://models/droneseg")
        environment |= {"STORAGE_EMULATOR_HOST": url, "DRONESEG_DVC_PULL_TIMEOUT_S": "2"}
        with serve(tmp_path, **environment) as server:
            assert server.process.wait(STOP_S) != 0
            assert "did not give the model within 2 s" in server.log.read_text()


def test_a_model_that_models_dvc_does_not_have_is_named(tmp_path: Path) -> None:
    with serve(tmp_path, DRONESEG_MODEL="other", **settings(tmp_path, STORE)) as server:
        assert server.process.wait(STOP_S) != 0
        assert "models.dvc has no model other" in server.log.read_text()
