"""The recipe for Triton: ONNX Runtime stands in for the server, which needs a container."""

import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export import onnx_model
from export.__main__ import main
from export.trained_model import TrainedModel
from export.writer import BundleWriter
from tests.conftest import ONE_AXIS

SERVER = Path(__file__).parent / "triton_server.py"


@contextmanager
def serving(repository: Path) -> Iterator[str]:
    """HOST:PORT of a server for the repository."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, SERVER, repository, str(port)])
    try:
        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/v2/health/ready")
                break
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def client_of(repository: Path) -> dict[str, Any]:
    """The generated client, as a module's names."""
    return runpy.run_path(str(repository / "client.py"))


def assert_same_labels(bundle: Bundle, repository: Path) -> None:
    assert main(["triton", str(bundle.path), "--output", str(repository)]) == 0
    photos = [draw_scene(101, 87, seed=1), draw_scene(40, 200, seed=2)]
    remote: Callable[[Bundle, str], Predictor] = client_of(repository)["predictor"]
    with serving(repository) as url:
        segmentations = remote(bundle, url).segment(photos)
    for ours, theirs in zip(Predictor(bundle).segment(photos), segmentations, strict=True):
        np.testing.assert_array_equal(ours.labels, theirs.labels)


def test_the_client_segments_as_the_predictor_does(
    two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    assert_same_labels(two_folds_bundle, tmp_path / "repository")


def test_an_ensemble_whose_weights_lie_beside_the_models(
    one_axis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "MAX_EMBEDDED_BYTES", 1000)
    other = replace(ONE_AXIS, patch_size=(48, 64), seed=9).write(tmp_path / "other")
    models = [TrainedModel.load(folder) for folder in (one_axis, other)]
    bundle = BundleWriter(models, "both", {}).write(tmp_path / "models" / "both")
    assert_same_labels(bundle, tmp_path / "repository")
    names = {path.parent.name for path in (tmp_path / "repository").glob("*/config.pbtxt")}
    assert names == {"both_0", "both_1"}


def test_the_client_runs_as_a_script(two_folds_bundle: Bundle, tmp_path: Path) -> None:
    repository, photo = tmp_path / "repository", tmp_path / "photo.png"
    Image.fromarray(draw_scene(70, 90, seed=3)).save(photo)
    assert main(["triton", str(two_folds_bundle.path), "--output", str(repository)]) == 0
    assert "python client.py" in (repository / "README.md").read_text()
    with serving(repository) as url:
        script = [sys.executable, str(repository / "client.py")]
        arguments = [str(two_folds_bundle.path), str(photo), "--url", url]
        subprocess.run([*script, *arguments], check=True, cwd=tmp_path)
    (expected,) = Predictor(two_folds_bundle).segment([np.asarray(Image.open(photo))])
    written = np.asarray(Image.open(tmp_path / "photo_labels.png"))
    np.testing.assert_array_equal(written, expected.labels)


def test_an_existing_folder_is_left_alone(
    two_folds_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["triton", str(two_folds_bundle.path), "--output", str(tmp_path)]) == 1
    assert "names a new folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
