"""Every row of the matrix is exported, which proves it, and compared once more by itself.

`pytest tests/parity/test_matrix.py --write-compatibility` writes docs/compatibility.md.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from droneseg.engines import installed_runtimes
from droneseg.engines.probes import check_probes
from droneseg.engines.typed_onnx import typed_onnx
from droneseg.predictor import Predictor
from droneseg.verification import Verification
from export.reference import Reference
from export.trained_model import TrainedModel
from export.writer import BundleWriter
from tests.droneseg.typed_engine import TypedEngine
from tests.parity import compatibility
from tests.parity.conftest import assert_parity
from tests.parity.matrix import AXES, Row, rows, write_trained

pytestmark = pytest.mark.parity

ROWS = rows()
Results = dict[Row, tuple[Verification, ...]]


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    """What the exports verified, written down at the end if asked for."""
    write_page = request.config.getoption("--write-compatibility")
    assert not write_page or compatibility.FULL_SIZE.is_file()
    found: Results = {}
    yield found
    if write_page:
        assert len(found) == len(ROWS)
        compatibility.write(found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ", ".join(filter(None, row.cells)))
def test_a_model_of_the_matrix(row: Row, tmp_path: Path, results: Results) -> None:
    checkpoint_name = row.trained[0].checkpoint_name
    models = [
        TrainedModel.load(folder, checkpoint_name=checkpoint_name)
        for folder in write_trained(row, tmp_path)
    ]
    bundle = BundleWriter(models, "model", {}).write(tmp_path / "bundle")
    results[row] = bundle.plan.verifications
    reference = Reference(*models)
    for runtime in installed_runtimes():
        predictor = Predictor(bundle, engine=runtime, precision="fp32", batch_size=3)
        assert_parity(predictor, reference, row.photo((101, 87), seed=40))
    for index in range(len(bundle.plan.members)):
        # What GPUs are given: float16 where it is safe.
        onnx.checker.check_model(typed_onnx(bundle.model_path(index), "fp16"), full_check=True)
        check_probes(TypedEngine(bundle.model_path(index)), bundle.probes(index))


def test_every_pair_of_properties_occurs() -> None:
    for (first, values), (second, others) in itertools.combinations(AXES.items(), 2):
        found = {(row[first], row[second]) for row in ROWS}
        assert found == set(itertools.product(values, others))


def test_the_committed_table_is_of_this_matrix() -> None:
    lines = [line[: len(AXES)] for line in compatibility.read()]
    assert lines == [row.cells for row in ROWS]
