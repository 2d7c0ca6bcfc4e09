"""Compiles the convolutions of droneseg/engines/winograd while DroneSeg is built or installed.

Where there is no C compiler, or another processor, all else works, and other engines are used.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("droneseg/engines/winograd")
LIBRARY = FOLDER / "libwinograd.so"
FLAGS = ["-O3", "-std=gnu11", "-fPIC", "-shared", "-s", "-pthread"]


class CustomBuildHook(BuildHookInterface[Any]):
    """Hatchling looks for this class in this file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile, and put the library into the wheel, which is then for this platform alone."""
        if self.target_name != "wheel":
            return
        reason = self._compile()
        if reason:
            self.app.display_warning(f"The winograd engine was not compiled: {reason}")
            return
        build_data["artifacts"].append(str(LIBRARY))
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(
            ".", "_"
        )

    def _compile(self) -> str | None:
        """Why it was not possible."""
        (Path(self.root) / LIBRARY).unlink(missing_ok=True)
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            return "it is for Linux on x86-64"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        if shutil.which(compiler[0]) is None:
            return f"there is no {compiler[0]}; install a C compiler, such as gcc with libc6-dev"
        command = [*compiler, *FLAGS, "-o", str(LIBRARY), str(FOLDER / "winograd.c"), "-lm"]
        done = subprocess.run(command, cwd=self.root, check=False, capture_output=True, text=True)
        return done.stderr if done.returncode else None
