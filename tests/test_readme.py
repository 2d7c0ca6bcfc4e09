"""Every code block and curl line of the README does what it says."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.scene import draw_scene
from tests.service.server import serve

pytestmark = pytest.mark.service

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ADDRESS = "localhost:3000"
TIMEOUT_S = 300

# Lines that are not run, as they need what a clone does not have; their options are checked with
# --help. Besides, `make` only says what it would run (MAKEFLAGS below): it installs and serves.
NOT_RUN = {
    ".venv/bin/python -m export path/to/nnUNetTrainer__nnUNetPlans__2d --output models/mine": (
        "a training of yours"
    ),
    ".venv/bin/python -m export verify models/mine --against "
    "path/to/nnUNetTrainer__nnUNetPlans__2d photos/*.png": "a training of yours",
    ".venv/bin/python -m export triton models/mine --output model_repository": "its bundle",
    "python -m benchmarks.latency --trained-folder path/to/nnunet_dubai_aerial": (
        "the default model's training, and an hour"
    ),
    "python -m benchmarks.serving --trained-folder path/to/nnunet_dubai_aerial": (
        "the default model's training, and half an hour"
    ),
    "python -m benchmarks.iou images/tile3_*.jpg --masks masks": "the photos of the data set",
}


@dataclass(frozen=True)
class Block:
    """A code block, or a curl line within a paragraph."""

    line: int
    language: str
    code: str


def blocks(markdown: str) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        line = token.map[0] + 1 if token.map else 0
        if token.type in {"fence", "code_block"}:
            yield Block(line, token.info or "sh", token.content)
        for child in token.children or []:
            if child.type == "code_inline" and child.content.startswith("curl "):
                yield Block(line, "sh", child.content)


@pytest.fixture(scope="module")
def address(default_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of the service as `make serve` starts it."""
    with serve(tmp_path_factory.mktemp("readme"), DRONESEG_MODEL=str(default_bundle.path)) as it:
        it.wait_until_ready()
        yield it.url.removeprefix("http://")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone after `make serve`, with smaller photos, to write into."""
    folder = tmp_path_factory.mktemp("clone")
    for entry in ROOT.iterdir():
        if entry.name not in {".git", ".venv", "docs", "photos", "masks"}:
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        (folder / ".venv" / entry.name).symlink_to(entry)
    for seed, photo in enumerate(("docs/images/scene.jpg", "photos/one.jpg", "photos/two.jpg")):
        (folder / photo).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_scene(120, 160, seed=seed)).save(folder / photo)
    # Without it, curl calls an error that it was sent a success.
    (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    return folder


@pytest.mark.parametrize(
    "block", list(blocks(README)), ids=lambda block: f"{block.language} at line {block.line}"
)
def test_block(block: Block, clone: Path, address: str) -> None:
    code = block.code.replace(ADDRESS, address)
    match block.language:
        case "python":
            run(clone, sys.executable, "-c", code)
        case "sh":
            lines = [line for line in code.splitlines() if line not in NOT_RUN]
            run(clone, "bash", "-euo", "pipefail", "-c", "\n".join(lines))
        case "json":
            json.loads(code)
        case language:
            pytest.fail(f"a block of {language}, which nothing here can run")


@pytest.mark.parametrize("line", NOT_RUN)
def test_what_is_not_run_has_the_options_that_it_names(line: str, clone: Path) -> None:
    _, *module, arguments = line.split(maxsplit=3)
    described = run(clone, sys.executable, *module, "--help")
    assert all(word in described for word in shlex.split(arguments) if word.startswith("--"))


def test_what_is_not_run_is_still_in_the_readme() -> None:
    lines = {line for block in blocks(README) for line in block.code.splitlines()}
    assert NOT_RUN.keys() <= lines


def test_all_curl_lines_are_found() -> None:
    """Nothing that the parser takes for prose or for a table is left out."""
    assert README.count("curl ") == sum(block.code.count("curl ") for block in blocks(README))


def run(folder: Path, *command: str) -> str:
    """The output of a command, which succeeds."""
    settings = {name: value for name, value in os.environ.items() if "DRONESEG" not in name}
    environment = settings | {
        "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CURL_HOME": str(folder),
        "MAKEFLAGS": "n",
        "BENTOML_DO_NOT_TRACK": "true",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
