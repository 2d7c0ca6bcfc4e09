"""Servers in subprocesses, for as long as a measurement takes."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent
START_S = 180
OURS, INSTANT = "service:DroneSeg", "benchmarks.serving.instant:DroneSeg"


@contextmanager
def serving(service: str, model: Path, **settings: object) -> Iterator[httpx.Client]:
    """A client of our service, ready; settings are named as in service/settings.py."""
    named = {f"DRONESEG_{name.upper()}": str(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory() as home:
        own = {
            "BENTOML_HOME": home,
            "BENTOML_DO_NOT_TRACK": "true",
            "DRONESEG_MODEL": str(model),
            "DRONESEG_LOG_URL": f"{home}/prediction-log",
        }
        with _listening(["bentoml", "serve", service], own | named) as client:
            yield client


@contextmanager
def plain(app: str, **environment: str) -> Iterator[httpx.Client]:
    """A client of a FastAPI app of this folder, ready."""
    command = ["uvicorn", f"benchmarks.serving.{app}:app", "--log-level", "warning"]
    with _listening(command, environment) as client:
        yield client


@contextmanager
def _listening(command: list[str], environment: dict[str, str]) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
            wait_until_ready(client, process)
            yield client
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Ask /readyz until it says yes."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise TimeoutError(f"{process.args!r} was not ready within {START_S} s")
