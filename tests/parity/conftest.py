"""What "the same as nnU-Net" means, as one assertion."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.normalization import ImageArray
from droneseg.predictor import Predictor
from export.reference import Reference
from export.trained_model import TrainedModel

MAX_LOGIT_ERROR = 1e-4
MAX_DIFFERING = 1e-5
STOCK_SLACK = 2e-5

Photo = NDArray[np.uint8]


def assert_parity(predictor: Predictor, reference: Reference, photo: ImageArray) -> None:
    """The design's bars on one photo; one pixel may always differ, as near-ties do."""
    expected = reference.predict(photo, float32=True)
    stock = reference.predict(photo, float32=False)
    (ours,) = predictor.segment([photo])
    trace = predictor.trace(photo)

    np.testing.assert_array_equal(trace.segmentation.labels, ours.labels)
    assert ours.labels.dtype == np.uint8
    assert ours.labels.shape == photo.shape[:2]
    for logits, reference_logits in zip(trace.logits, expected.logits, strict=True):
        assert logits.shape == reference_logits.shape
        error = np.abs(logits - reference_logits).max() / np.abs(reference_logits).max()
        assert error <= MAX_LOGIT_ERROR

    differing = np.count_nonzero(ours.labels != expected.labels)
    assert differing <= max(1, MAX_DIFFERING * photo[..., 0].size)
    from_stock = np.count_nonzero(ours.labels != stock.labels)
    stock_from_itself = np.count_nonzero(expected.labels != stock.labels)
    assert from_stock <= stock_from_itself + max(1, STOCK_SLACK * photo[..., 0].size)


@pytest.fixture(scope="session")
def two_folds_reference(two_folds: Path) -> Reference:
    return Reference(TrainedModel.load(two_folds))


@pytest.fixture(scope="session")
def two_folds_predictor(two_folds_bundle: Bundle) -> Predictor:
    return Predictor(two_folds_bundle)


@pytest.fixture(scope="session")
def one_axis_reference(one_axis: Path) -> Reference:
    return Reference(TrainedModel.load(one_axis))


@pytest.fixture(scope="session")
def one_axis_predictor(one_axis_bundle: Bundle) -> Predictor:
    return Predictor(one_axis_bundle)
