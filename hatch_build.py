"""Compiles the convolutions of droneseg/engines/winograd while DroneSeg is built or installed.

Where there is no C compiler, or another processor, all else works, and other engines are used.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("droneseg/engines/winograd")
LIBRARY = FOLDER / "libwinograd.so"
FLAGS = ["-O3", "-Wall", "-Wextra", "-std=gnu11", "-fPIC", "-shared", "-s", "-pthread"]


class CustomBuildHook(BuildHookInterface[Any]):
    """Hatchling looks for this class in this file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and put the library into the wheel, which is then for this platform alone.

        An editable install, which is a version called so, finds it beside its source.
        """
        if self.target_name != "wheel":
            return
        self._built = tempfile.TemporaryDirectory()
        library = Path(self._built.name) / LIBRARY.name
        reason = self._compile(library)
        if reason:
            if version == "editable":
                (Path(self.root) / LIBRARY).unlink(missing_ok=True)
            self.app.display_warning(f"The winograd engine was not compiled: {reason}")
            return
        if version == "editable":
            # Not written over, as a process may have the old one in memory.
            beside = Path(self.root) / LIBRARY.with_suffix(".new")
            shutil.copy(library, beside)
            beside.replace(Path(self.root) / LIBRARY)
        else:
            build_data["force_include"][str(library)] = str(LIBRARY)
        build_data["pure_python"] = False
        platform_tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform_tag}"

    def finalize(self, *_: object) -> None:
        """Remove what lies in the wheel by now."""
        if self.target_name == "wheel":
            self._built.cleanup()

    def _compile(self, library: Path) -> str | None:
        """Why it was not possible; None if it was."""
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            return "it is for Linux on x86-64"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        if shutil.which(compiler[0]) is None:
            return f"there is no {compiler[0]}; install a C compiler, such as gcc with libc6-dev"
        command = [*compiler, *FLAGS, "-o", str(library), str(FOLDER / "winograd.c"), "-lm"]
        done = subprocess.run(command, cwd=self.root, check=False, capture_output=True, text=True)
        return done.stderr if done.returncode else None
