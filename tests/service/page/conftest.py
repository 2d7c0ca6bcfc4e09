import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from droneseg.bundle import Bundle
from droneseg.predictor import Predictor
from droneseg.segmentation import Segmentation
from tests.service.page.photos import PNG, SCENE
from tests.service.page.visit import Visit, visiting
from tests.service.server import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
# --no-sandbox as tests may run as root; the rest keeps it from calling its maker.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    paths = [os.environ.get("CHROMIUM"), *(shutil.which(name) for name in NAMES)]
    for path in paths:
        if path:
            return path
    raise FileNotFoundError(
        "no Chromium for the tests of the page: `apt-get install chromium`, or name one in CHROMIUM"
    )


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """The page, just opened."""
    with visiting(browser, server.url) as visit:
        yield visit


@pytest.fixture(scope="package")
def predictor(two_folds_bundle: Bundle) -> Predictor:
    return Predictor(two_folds_bundle)


@pytest.fixture(scope="package")
def expected(predictor: Predictor) -> Segmentation:
    """Of SCENE."""
    (segmentation,) = predictor.segment([SCENE])
    assert len(segmentation.classes_found) > 1
    return segmentation


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A file of SCENE."""
    path = tmp_path / "field.png"
    path.write_bytes(PNG)
    return path
