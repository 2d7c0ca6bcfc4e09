"""Containers without a daemon: Bentos built by buildah and run by runc, as root on Debian.

Where Docker is, `bentoml containerize` and `docker run` do the same.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from uv import find_uv_bin

TOOLS = ("buildah", "runc")
# The Debian that has the Python of service/image.py.
SUITE = "bookworm"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# The user of BentoML's images.
USER = {"uid": 1034, "gid": 1034}
MOUNTS = [
    # BentoML's home, the cache and uploads.
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},  # noqa: S108
    {
        "destination": "/etc/hosts",
        "type": "bind",
        "source": "/etc/hosts",
        "options": ["bind", "ro"],
    },
]


def unusable(*, pull_base: bool = False) -> str | None:
    """Why containers cannot be built and run here; None if they can."""
    tools = TOOLS if pull_base else (*TOOLS, "mmdebstrap")
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return None if os.geteuid() == 0 else "without a daemon, only root can run containers"


@dataclass(frozen=True)
class Container:
    """A running container, which shares the network of this machine."""

    name: str
    url: str
    log: Path
    # runc, which ends with the container's exit status.
    process: subprocess.Popen[bytes]

    def terminate(self) -> None:
        """Send SIGTERM, which is what a platform does first."""
        subprocess.run(["runc", "kill", self.name, "TERM"], check=True)

    def processes(self) -> dict[int, str]:
        """The command line of each process in it, by its id on this machine."""
        command = ["runc", "ps", "--format", "json", self.name]
        pids = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
        return {pid: line.replace(b"\0", b" ").decode() for pid, line in lines.items()}


class Images:
    """A storage of images and Bentos of its own, in a folder."""

    def __init__(self, folder: Path, *, pull_base: bool = False):
        """Take a folder, which need not exist.

        Args:
            folder: for everything.
            pull_base: take base images from their registry, or else build what stands for them.
        """
        self.folder = folder
        self._pull_base = pull_base
        folder.mkdir(parents=True, exist_ok=True)
        storage = folder / "storage.conf"
        storage.write_text(
            f'[storage]\ndriver = "overlay"\n'
            f'graphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
        )
        self._environment = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(storage),
            "BUILDAH_ISOLATION": "chroot",
            "BENTOML_HOME": str(folder / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "true",
        }

    def build(self, checkout: Path, bentofile: str = "bentofile.yaml") -> str:
        """Build the Bento of a checkout, and its image; return its tag."""
        bentoml = (sys.executable, "-m", "bentoml")
        build = (*bentoml, "build", "--output", "tag", "--bentofile", bentofile)
        tag = self._run(*build, folder=checkout).splitlines()[-1].removeprefix("__tag__:")
        bento = Path(self._run(*bentoml, "get", tag, "--output", "path", folder=checkout))
        (base,) = re.findall(r"^FROM (\S+)", (bento / "env/docker/Dockerfile").read_text(), re.M)
        if self._pull_base:
            self._run("buildah", "pull", "--quiet", base)
        else:
            self._build_base(base)
        options = ("--backend", "buildah", "--opt", "pull-never", "--image-tag", tag)
        self._run(*bentoml, "containerize", tag, *options, folder=checkout)
        return tag

    def _build_base(self, name: str) -> None:
        """Build what stands for a base image that a registry has, from Debian's packages."""
        archive = self.folder / "base.tar"
        packages = "--include=ca-certificates,python3"
        self._run(
            "mmdebstrap", "--quiet", "--variant=minbase", packages, SUITE, archive, *sources()
        )
        base = self._run("buildah", "from", "scratch")
        self._run("buildah", "add", "--quiet", base, archive, "/")
        self._run("buildah", "copy", "--quiet", base, find_uv_bin(), "/usr/local/bin/uv")
        # This machine may trust more authorities than Debian does.
        self._run("buildah", "copy", "--quiet", base, CERTIFICATES, CERTIFICATES)
        self._run("buildah", "config", "--env", f"SSL_CERT_FILE={CERTIFICATES}", base)
        self._run("buildah", "commit", "--quiet", "--rm", base, name)
        archive.unlink()

    def remove_all(self) -> None:
        """Remove all images and what is mounted of them."""
        self._run("buildah", "rm", "--all")
        self._run("buildah", "rmi", "--all", "--force")

    def size(self, image: str) -> str:
        """The size of an image with its base, uncompressed, such as "791 MB"."""
        (found,) = json.loads(self._run("buildah", "images", "--json", image))
        size: str = found["size"]
        return size

    @contextmanager
    def started(self, image: str, **environment: str) -> Iterator[Container]:
        """Run an image on a free port, its root read-only; end it in the end."""
        name = f"droneseg-{uuid4().hex[:8]}"
        port = free_port()
        bundle = self.folder / name
        bundle.mkdir()
        root = self._run("buildah", "from", "--pull-never", "--name", name, image)
        mounted = self._run("buildah", "mount", root)
        # BentoML writes into its home, which the image cannot set.
        fixed = {"PORT": str(port), "BENTOML_HOME": "/tmp/bentoml"}  # noqa: S108
        self._specify(bundle, image, mounted, environment | fixed)
        log = bundle / "log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                ["runc", "run", "--bundle", bundle, name], stdout=written, stderr=subprocess.STDOUT
            )
        try:
            yield Container(name, f"http://127.0.0.1:{port}", log, process)
        finally:
            if process.poll() is None:
                self._run("runc", "kill", name, "KILL")
            process.wait()
            self._run("buildah", "rm", root)

    def _specify(self, bundle: Path, image: str, root: str, environment: dict[str, str]) -> None:
        """Write config.json of an OCI bundle: runc's default, and what the image says."""
        self._run("runc", "spec", "--bundle", bundle)
        path = bundle / "config.json"
        spec: dict[str, Any] = json.loads(path.read_text())
        described = self._run("buildah", "inspect", "--type", "image", image)
        config = json.loads(described)["OCIv1"]["config"]
        spec["root"] = {"path": root, "readonly": True}
        spec["process"] |= {
            "terminal": False,
            "user": USER,
            "args": config["Entrypoint"],
            "env": [*config["Env"], *(f"{name}={value}" for name, value in environment.items())],
            "cwd": config["WorkingDir"],
        }
        spec["mounts"] += MOUNTS
        linux = spec["linux"]
        linux["namespaces"] = [space for space in linux["namespaces"] if space["type"] != "network"]
        path.write_text(json.dumps(spec))

    def _run(self, *command: str | Path, folder: Path | None = None) -> str:
        """What a command printed, without what it said on stderr unless it failed."""
        done = subprocess.run(
            command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout}\n{done.stderr}")
        return done.stdout.strip()


def sources() -> list[str]:
    """The files by which apt finds packages on this machine."""
    apt = Path("/etc/apt")
    found = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.[ls]*"))]
    return [str(path) for path in found if path.suffix in {".list", ".sources"} and path.is_file()]


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
