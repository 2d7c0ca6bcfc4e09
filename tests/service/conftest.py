from collections.abc import Iterator

import pytest

from droneseg.bundle import Bundle
from tests.service.server import Server, serve


@pytest.fixture(scope="session")
def server(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ready server with the small model of two folds, whose tiles of several photos meet.

    By itself the engine on a CPU of few cores takes one tile at once.
    """
    folder = tmp_path_factory.mktemp("server")
    settings = {"DRONESEG_MODEL": str(two_folds_bundle.path), "DRONESEG_BATCH_SIZE": "8"}
    with serve(folder, **settings) as running:
        running.wait_until_ready()
        yield running
