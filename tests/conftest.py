"""Models for the tests: the default one, and small ones exported for the occasion."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.random_model import TrainedFolder
from droneseg.bundle import Bundle
from droneseg.predictor import Predictor
from export.trained_model import TrainedModel
from export.writer import BundleWriter

DEFAULT_MODEL = Path(__file__).parent.parent / "models" / "dubai_aerial"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-compatibility", action="store_true", help="write docs/compatibility.md"
    )
    parser.addoption(
        "--pull-base", action="store_true", help="take the container's base from its registry"
    )


@pytest.fixture(scope="session", autouse=True)
def own_cache() -> Iterator[None]:
    """Random models do not fill your cache; servers are started with the same environment."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "DRONESEG_CACHE", folder)
        yield


# Two folds, both mirror axes, an ignore label; and one fold of a trainer unknown here that mirrors
# the height alone, so that swapped axes show.
TWO_FOLDS = TrainedFolder(folds=("0", "2"), ignore=True)
ONE_AXIS = TrainedFolder(mirror_axes=(0,), trainer="nnUNetTrainerOfAnotherTeam", seed=5)


@pytest.fixture(scope="session")
def two_folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TWO_FOLDS.write(tmp_path_factory.mktemp("trained") / "two_folds")


@pytest.fixture(scope="session")
def one_axis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ONE_AXIS.write(tmp_path_factory.mktemp("trained") / "one_axis")


@pytest.fixture(scope="session")
def two_folds_bundle(two_folds: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    output = tmp_path_factory.mktemp("models") / "two_folds"
    return BundleWriter([TrainedModel.load(two_folds)], "two_folds", {}).write(output)


@pytest.fixture(scope="session")
def one_axis_bundle(one_axis: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    output = tmp_path_factory.mktemp("models") / "one_axis"
    return BundleWriter([TrainedModel.load(one_axis)], "one_axis", {"roof": "#FF0000"}).write(
        output
    )


@pytest.fixture(scope="session")
def default_bundle() -> Bundle:
    return Bundle.load(DEFAULT_MODEL)


@pytest.fixture(scope="session")
def default_predictor(default_bundle: Bundle) -> Predictor:
    return Predictor(default_bundle)
