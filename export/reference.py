"""nnU-Net's own predictor, as the reference that a bundle is proven against."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from unittest import mock

import numpy as np
import torch
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from numpy.typing import NDArray

from export.trained_model import TrainedModel

# NaturalImage2DIO gives every photo this spacing.
NATURAL_IMAGE_SPACING = (999, 1, 1)


@dataclass(frozen=True)
class Prediction:
    """What nnU-Net says of one image.

    Attributes:
        labels: uint8 [H, W].
        logits: [K, h, w] of the non-zero crop, float32 or float16 as accumulated.
    """

    labels: NDArray[np.uint8]
    logits: NDArray[np.floating]


class Reference:
    """nnUNetPredictor with its default settings, on the CPU."""

    def __init__(self, model: TrainedModel):
        """Hand nnU-Net's predictor the networks, whatever trainer class made them."""
        # It prints that a CPU is no GPU.
        with redirect_stdout(io.StringIO()):
            self._predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
        self._predictor.manual_initialization(
            model.networks()[0],
            model.plans,
            model.configuration,
            [checkpoint.weights for checkpoint in model.checkpoints],
            model.dataset,
            model.checkpoints[0].trainer,
            model.checkpoints[0].mirror_axes or None,
        )

    def predict(self, image: NDArray[np.uint8], *, float32: bool) -> Prediction:
        """Predict a photo, uint8 [H, W, 3].

        Args:
            image: the photo.
            float32: accumulate logits in float32; nnU-Net itself does so in float16, which alone
                changes one or two labels in 10,000.
        """
        predictor = self._predictor
        data = image.transpose(2, 0, 1)[:, None]
        tensor, _, properties = DefaultPreprocessor(verbose=False).run_case_npy(
            np.ascontiguousarray(data, np.float32),
            None,
            {"spacing": NATURAL_IMAGE_SPACING},
            predictor.plans_manager,
            predictor.configuration_manager,
            predictor.dataset_json,
        )
        with float32_accumulators() if float32 else nullcontext():
            logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(tensor))
        labels = convert_predicted_logits_to_segmentation_with_correct_shape(
            logits,
            predictor.plans_manager,
            predictor.configuration_manager,
            predictor.label_manager,
            properties,
        )
        return Prediction(labels[0], logits.numpy()[:, 0])


@contextmanager
def float32_accumulators() -> Iterator[None]:
    """Let nnUNetPredictor allocate its accumulators, which it asks for as torch.half, in float32.

    The Gaussian weights stay the float16-rounded values that it uses.
    """
    with mock.patch.object(torch, "half", torch.float32):
        yield
