"""Google Cloud Storage on this machine, whose network can be made to fail."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from gcp_storage_emulator.server import create_server
from gcsfs import GCSFileSystem

BUCKET = "droneseg"


@dataclass
class Network:
    """A relay to the emulator.

    Attributes:
        port: of the relay.
        up: whether connections are let through; otherwise they are cut.
        loses_answers: whether what the emulator answers is cut off, although it did what was asked.
    """

    port: int
    up: bool = True
    loses_answers: bool = False
    _open: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Refuse new connections, and end those there are."""
        self.up = False
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def relay(self, listener: socket.socket, target: int) -> None:
        """Serve until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if not self.up:
                    client.close()
                    continue
                server = socket.create_connection(("localhost", target))
                self._open += [client, server]
                for source, sink, answers in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._copy, args=(source, sink, answers), daemon=True
                    ).start()

    def _copy(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:  # noqa: FBT001
        with suppress(OSError):
            while data := source.recv(65536):
                if answers and self.loses_answers:
                    break
                sink.sendall(data)
        for connection in (source, sink):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def emulator() -> Iterator[Network]:
    """An empty bucket that gs:// leads to, in this process and those it starts."""
    server = create_server("localhost", 0, in_memory=True, default_bucket=BUCKET)
    server.start()
    listener = socket.create_server(("localhost", 0))
    network = Network(listener.getsockname()[1])
    target: int = server._api._httpd.server_address[1]
    relay = threading.Thread(target=network.relay, args=(listener, target), daemon=True)
    relay.start()
    own = {"STORAGE_EMULATOR_HOST": f"http://localhost:{network.port}", "FSSPEC_GS_TOKEN": "anon"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    # fsspec would give out those of an emulator that is gone.
    GCSFileSystem.clear_instance_cache()
    try:
        yield network
    finally:
        GCSFileSystem.clear_instance_cache()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        listener.close()
        server.stop()
