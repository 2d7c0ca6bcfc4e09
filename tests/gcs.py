"""Google Cloud Storage as an emulator has it, in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

import httpx

from tests.service.server import free_port

START_S = 20


@contextmanager
def emulator(bucket: str) -> Iterator[str]:
    """Start one with a bucket; its URL is for STORAGE_EMULATOR_HOST."""
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--quiet", "--in-memory"]
    process = subprocess.Popen([*command, "--port", str(port), "--default-bucket", bucket])
    url = f"http://localhost:{port}"
    try:
        _wait_for(f"{url}/storage/v1/b/{bucket}", process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(url).is_success:
                return
        time.sleep(0.05)
    raise AssertionError("the emulator did not start")


def upload(url: str, bucket: str, name: str, data: bytes) -> None:
    """Put an object into an emulator's bucket."""
    parameters = {"uploadType": "media", "name": name}
    httpx.post(
        f"{url}/upload/storage/v1/b/{bucket}/o", params=parameters, content=data
    ).raise_for_status()


def download(url: str, bucket: str, name: str) -> bytes:
    """Take an object from there."""
    path = f"{url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
    return httpx.get(path, params={"alt": "media"}).raise_for_status().content
