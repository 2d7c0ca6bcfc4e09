"""What is declared in several places must agree."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from droneseg.engines import unusable

ROOT = Path(__file__).parent.parent


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@pytest.mark.parametrize(
    ("bentofile", "runtime"), [("bentofile.yaml", "cpu"), ("bentofile.gpu.yaml", "gpu")]
)
def test_the_bento_has_what_serving_needs(bentofile: str, runtime: str) -> None:
    extras = project()["optional-dependencies"]
    needed = {*project()["dependencies"], *extras[runtime], *extras["serve"]}
    bento = yaml.safe_load((ROOT / bentofile).read_text())
    assert set(bento["python"]["packages"]) == needed


def test_every_direct_requirement_is_pinned_in_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {normal(line.split("==")[0]) for line in lines if not line.startswith("#")}
    extras = project()["optional-dependencies"]
    wanted = [
        *project()["dependencies"],
        *(requirement for name in extras for requirement in extras[name]),
    ]
    names = {normal(re.split(r"[\[<>=!,; ]", requirement)[0]) for requirement in wanted}
    assert names - pinned == {"droneseg"}


def test_serving_never_brings_pytorch() -> None:
    serving = closure("droneseg", {"cpu", "serve", "models"})
    assert {"bentoml", "onnxruntime", "dvc-gs"} <= serving
    assert not serving & {"torch", "nnunetv2", "evidently"}
    assert {"torch", "nnunetv2"} <= closure("droneseg", {"export"})


def closure(name: str, extras: set[str]) -> set[str]:
    """All that a distribution requires with these extras, by what is installed here."""
    found: set[str] = set()
    waiting = [(normal(name), frozenset(extras))]
    seen = set()
    while waiting:
        entry = waiting.pop()
        if entry in seen:
            continue
        seen.add(entry)
        found.add(entry[0])
        try:
            requirements = metadata.requires(entry[0]) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, requirements):
            marker = requirement.marker
            wanted = marker is None or any(marker.evaluate({"extra": e}) for e in {"", *entry[1]})
            if wanted:
                waiting.append((normal(requirement.name), frozenset(requirement.extras)))
    return found


def test_the_constraints_are_versions_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._!]+", line) for line in lines)
    assert "torch==2.13.0" in lines


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


WHERE_COMPILED = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="the winograd engine is for Linux on x86-64",
)


@WHERE_COMPILED
@pytest.mark.parametrize(("compiler", "tag"), [("cc", "linux_x86_64"), ("none", "any")])
def test_a_wheel_has_the_engine_if_there_is_a_compiler(
    compiler: str, tag: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "droneseg", source / "droneseg", ignore=shutil.ignore_patterns("*.so"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*pip, "-w", str(tmp_path), str(source)], check=True, env=os.environ | {"CC": compiler}
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith(f"-py3-none-{tag}.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert ("droneseg/engines/winograd/libwinograd.so" in names) == (compiler == "cc")


@pytest.mark.parametrize("path", ["deploy/train.Containerfile", "deploy/drift/Dockerfile"])
def test_images_that_install_have_what_the_build_reads(path: str) -> None:
    copied = re.findall(r"^COPY (.*) \./$", (ROOT / path).read_text(), re.M)[0].split()
    read = [project()["readme"], *project()["license-files"], "hatch_build.py", "pyproject.toml"]
    assert set(read) <= set(copied)


@WHERE_COMPILED
def test_the_engine_was_compiled_here() -> None:
    assert unusable("winograd") is None
