"""A checkout as a clone has it, and the image that is built from it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.containers import Images, unusable
from droneseg.engines.winograd.library import PATH as LIBRARY

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows, with the default model that DVC brings, and what make compiled."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in (*listed.stdout.splitlines(), str(LIBRARY.relative_to(ROOT))):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    pull = [sys.executable, "-m", "dvc", "pull", "models/dubai_aerial"]
    subprocess.run(pull, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest) -> Iterator[Images]:
    """Not in pytest's folders, of which it keeps three."""
    pull_base = request.config.getoption("--pull-base")
    reason = unusable(pull_base=pull_base)
    if reason:
        pytest.skip(f"no containers here: {reason}")
    with TemporaryDirectory(prefix="images") as folder:
        store = Images(Path(folder), pull_base=pull_base)
        try:
            yield store
        finally:
            store.remove_all()


@pytest.fixture(scope="session")
def image(images: Images, clone: Path) -> str:
    return images.build(clone)
