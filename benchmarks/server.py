"""A service in a subprocess, for as long as a measurement takes."""

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

ROOT = Path(__file__).parent.parent
START_S = 120


@contextmanager
def serving(service: str, model: Path, **settings: object) -> Iterator[httpx.Client]:
    """A client of a server that is ready; settings are named as in service/settings.py."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    named = {f"DRONESEG_{name.upper()}": str(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory() as home:
        own = {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "true", "DRONESEG_MODEL": str(model)}
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", service, "--port", str(port)],
            cwd=ROOT,
            env=os.environ | own | named,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
                wait_until_ready(client)
                yield client
        finally:
            process.terminate()
            process.wait()


def wait_until_ready(client: httpx.Client) -> None:
    """Ask /readyz until it says yes."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise TimeoutError(f"the server was not ready within {START_S} s")
