"""nnU-Net's own predictor, as the reference that a bundle is proven against."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from numpy.typing import NDArray
from torch import nn

from droneseg.normalization import ImageArray
from export.errors import ProofFailed
from export.trained_model import TrainedModel

# NaturalImage2DIO gives every photo this spacing.
NATURAL_IMAGE_SPACING = (999, 1, 1)


@dataclass(frozen=True)
class Prediction:
    """What nnU-Net says of one image.

    Attributes:
        labels: uint8 [H, W].
        logits: for each model [K, h, w] of the non-zero crop, float32 or float16 as accumulated.
    """

    labels: NDArray[np.uint8]
    logits: tuple[NDArray[np.floating], ...]


class Reference:
    """nnUNetPredictor with its default settings; an ensemble of several models."""

    def __init__(self, *models: TrainedModel, device: str = "cpu", mirroring: bool = True):
        """Hand nnU-Net's predictor the networks, whatever trainer class made them.

        Args:
            models: at least one.
            device: PyTorch's name for it; on `cuda` nnU-Net computes in float16.
            mirroring: over the model's axes, as nnU-Net does if not told otherwise.
        """
        self._predictors = [_predictor(model, device, mirroring=mirroring) for model in models]

    @property
    def network(self) -> nn.Module:
        """The first model's, on its device; compiled if `nnUNet_compile` was set."""
        network: nn.Module = self._predictors[0].network
        return network

    def predict(self, image: ImageArray, *, float32: bool) -> Prediction:
        """Predict a photo, uint8, uint16 or float32 [H, W, C].

        Args:
            image: the photo.
            float32: accumulate logits in float32; nnU-Net itself does so in float16, which alone
                changes one or two labels in 10,000.

        Raises:
            ProofFailed: nnU-Net itself cannot predict the photo.
        """
        try:
            with float32_accumulators() if float32 else nullcontext():
                outcomes = [_logits(predictor, image) for predictor in self._predictors]
        except RuntimeError as error:
            # Its float16 sums overflow from logits of some thousands on.
            raise ProofFailed(f"nnU-Net's own predictor fails on a photo: {error}") from error
        several = len(outcomes) > 1
        decisions = [
            _convert(predictor, logits, properties, probabilities=several)
            for predictor, (logits, properties) in zip(self._predictors, outcomes, strict=True)
        ]
        labels = self._average(decisions) if several else decisions[0]
        return Prediction(labels[0], tuple(logits.numpy()[:, 0] for logits, _ in outcomes))

    def _average(self, decisions: list[Any]) -> NDArray[np.uint8]:
        """As nnunetv2's merge_files does with the files of average_probabilities."""
        mean = np.zeros_like(decisions[0][1])
        for _, probabilities in decisions:
            mean += probabilities
        mean /= len(decisions)
        label_manager = self._predictors[0].label_manager
        labels: NDArray[np.uint8] = label_manager.convert_probabilities_to_segmentation(mean)
        return labels


def _predictor(model: TrainedModel, device: str, *, mirroring: bool) -> nnUNetPredictor:
    # It prints that a CPU is no GPU.
    with redirect_stdout(io.StringIO()):
        predictor = nnUNetPredictor(
            device=torch.device(device), use_mirroring=mirroring, allow_tqdm=False
        )
    predictor.manual_initialization(
        model.networks()[0],
        model.plans,
        model.configuration,
        [checkpoint.weights for checkpoint in model.checkpoints],
        model.dataset,
        model.checkpoints[0].trainer,
        model.checkpoints[0].mirror_axes or None,
    )
    return predictor


def _logits(predictor: nnUNetPredictor, image: ImageArray) -> tuple[torch.Tensor, dict[str, Any]]:
    """Logits of the non-zero crop, and what nnU-Net wants to know to put the crop back."""
    data = image.transpose(2, 0, 1)[:, None]
    with warnings.catch_warnings():
        # A z-score over the non-zero pixels of a black image is a mean of nothing.
        warnings.simplefilter("ignore", RuntimeWarning)
        tensor, _, properties = DefaultPreprocessor(verbose=False).run_case_npy(
            np.ascontiguousarray(data, np.float32),
            None,
            {"spacing": NATURAL_IMAGE_SPACING},
            predictor.plans_manager,
            predictor.configuration_manager,
            predictor.dataset_json,
        )
    logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(tensor))
    return logits, properties


def _convert(
    predictor: nnUNetPredictor,
    logits: torch.Tensor,
    properties: dict[str, Any],
    *,
    probabilities: bool,
) -> Any:
    return convert_predicted_logits_to_segmentation_with_correct_shape(
        logits,
        predictor.plans_manager,
        predictor.configuration_manager,
        predictor.label_manager,
        properties,
        return_probabilities=probabilities,
    )


@contextmanager
def float32_accumulators() -> Iterator[None]:
    """Let nnUNetPredictor allocate its accumulators, which it asks for as torch.half, in float32.

    The Gaussian weights stay the float16-rounded values that it uses.
    """
    with mock.patch.object(torch, "half", torch.float32):
        yield
