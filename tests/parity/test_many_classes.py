"""As many classes as a label map of 8 bits holds beside the ignore label."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.random_model import TrainedFolder
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from export.reference import Reference
from export.trained_model import TrainedModel
from export.writer import BundleWriter
from tests.parity.conftest import assert_parity

pytestmark = pytest.mark.parity


def test_254_classes_and_an_ignore_label(tmp_path: Path) -> None:
    classes = ("background", *(f"class {index}" for index in range(1, 254)))
    trained = TrainedFolder(classes=classes, ignore=True, mirror_axes=(1,), features=(64, 24, 24))
    model = TrainedModel.load(trained.write(tmp_path / "trained"))
    bundle = BundleWriter([model], "many", {}).write(tmp_path / "bundle")
    assert bundle.plan.ignore_label == 254
    photo = draw_scene(101, 87, seed=1)
    predictor = Predictor(bundle)
    assert_parity(predictor, Reference(model), photo)
    (segmentation,) = predictor.segment([photo])
    assert len(segmentation.classes_found) > 100
    assert np.unique(segmentation.color().reshape(-1, 3), axis=0).shape[0] > 100
