"""Serve a trained nnU-Net: the same label map, without PyTorch."""

from droneseg.bundle import Bundle
from droneseg.errors import DroneSegError
from droneseg.plan import InferencePlan
from droneseg.predictor import Predictor
from droneseg.segmentation import Segmentation

__version__ = "0.1.0"
__all__ = ["Bundle", "DroneSegError", "InferencePlan", "Predictor", "Segmentation"]
