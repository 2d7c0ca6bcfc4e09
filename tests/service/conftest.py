from collections.abc import Iterator

import pytest

from droneseg.bundle import Bundle
from tests.service.server import Server, serve


@pytest.fixture(scope="session")
def server(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ready server with the small model of two folds."""
    folder = tmp_path_factory.mktemp("server")
    with serve(folder, DRONESEG_MODEL=str(two_folds_bundle.path)) as running:
        running.wait_until_ready()
        yield running
