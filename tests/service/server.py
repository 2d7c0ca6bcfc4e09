"""The real service in a subprocess."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent
START_S = 90
STOP_S = 20


@dataclass(frozen=True)
class Server:
    """A running `bentoml serve service:DroneSeg`."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the server will do; it may not even listen yet."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if condition():
                    return
            time.sleep(0.05)
        raise AssertionError(f"waited in vain; the log:\n{self.log.read_text()}")

    def wait_until_ready(self) -> list[int]:
        """The statuses that /readyz gave until it was 200; 0 while nothing listened."""
        statuses = []
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                statuses.append(httpx.get(f"{self.url}/readyz").status_code)
            except httpx.TransportError:
                statuses.append(0)
            if statuses[-1] == 200:
                return statuses
            time.sleep(0.1)
        raise AssertionError(f"not ready; its log:\n{self.log.read_text()}")

    @property
    def runner_pid(self) -> int:
        """The child that BentoML started for the runner."""
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        (runner,) = (
            int(pid)
            for pid in children
            if b"DroneSegRunner" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        return runner

    @contextmanager
    def runner_paused(self) -> Iterator[None]:
        """What the model is at takes as long as this, however fast the machine.

        Not above 7 s: the front asks how the runner is, and would take no photo any more.
        """
        runner = self.runner_pid
        os.kill(runner, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(runner, signal.SIGCONT)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serve(folder: Path, **environment: str) -> Iterator[Server]:
    """Start a server whose state lives in `folder`; stop it in the end."""
    with _started(folder, environment, lambda command: command) as server:
        yield server


@contextmanager
def serve_on_terminal(folder: Path, **environment: str) -> Iterator[Server]:
    """As `serve`; what it writes comes through a terminal."""

    def through_terminal(command: list[str]) -> list[str]:
        return ["script", "--quiet", "--flush", "--command", shlex.join(command), "/dev/null"]

    with _started(folder, environment, through_terminal) as server:
        yield server


@contextmanager
def _started(
    folder: Path, environment: dict[str, str], wrap: Callable[[list[str]], list[str]]
) -> Iterator[Server]:
    port = free_port()
    log = folder / "server.log"
    # Servers that share BENTOML_HOME wipe each other's metrics.
    own = {
        "BENTOML_HOME": str(folder),
        "BENTOML_DO_NOT_TRACK": "true",
        "DRONESEG_LOG_URL": str(folder / "prediction-log"),
    }
    env = os.environ | own | environment
    command = [sys.executable, "-m", "bentoml", "serve", "service:DroneSeg"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            wrap(command),
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(f"http://127.0.0.1:{port}", log, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
