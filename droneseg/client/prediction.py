"""Prediction: the service's answer for one photo."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Base64Bytes, Field, TypeAdapter, ValidationError

from droneseg.client.errors import UnexpectedAnswer
from droneseg.plan import Label
from droneseg.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class ClassArea:
    """A class of the model and how much of the photo it covers.

    Attributes:
        color: `#RRGGBB`.
        fraction: of the photo's pixels, 0 to 1.
        square_metres: None unless the request named `gsd_cm`.
    """

    id: int
    name: str
    color: str
    pixels: int
    fraction: float
    square_metres: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What computed the prediction."""

    name: str
    hash: str
    engine: str
    precision: str


@dataclass(frozen=True)
class Prediction:
    """The service's answer for one photo.

    Attributes:
        prediction_shape: height and width in px, of the photo in its upright frame.
        classes_found: ids of the classes that occur, ascending.
        classes: the model's classes with their areas.
        timings_ms: milliseconds by stage.
        png: the mask as it was rendered, None for `render="none"`.
        answer: the whole answer, with what other options bring (polygons, rle, ...).
    """

    request_id: str
    prediction_shape: tuple[int, int]
    classes_found: tuple[int, ...]
    classes: tuple[ClassArea, ...]
    timings_ms: dict[str, float]
    model: Model
    filename: str | None = None
    png: Annotated[Base64Bytes | None, Field(validation_alias="segmentation_mask")] = field(
        default=None, repr=False
    )
    answer: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, body: bytes) -> "Prediction":
        """Read an answer.

        Raises:
            UnexpectedAnswer: it is not that of a DroneSeg service.
        """
        try:
            answer = json.loads(body)
            return _PREDICTION.validate_python({**answer, "answer": answer})
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()
            )
            raise UnexpectedAnswer(f"the answer is not DroneSeg's: {wrong}") from error
        except (ValueError, TypeError) as error:
            raise UnexpectedAnswer(f"the answer is not DroneSeg's: {error}") from error

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """The class of each pixel, uint8 [H, W].

        Raises:
            UnexpectedAnswer: the mask was not asked for with `render="labels"`, or is damaged.
        """
        if self.png is None:
            raise UnexpectedAnswer("the answer has no mask; ask for render='labels'")
        try:
            with Image.open(io.BytesIO(self.png), formats=["PNG"]) as image:
                mode, labels = image.mode, np.asarray(image)
        except Exception as error:
            raise UnexpectedAnswer(f"the mask is no whole PNG: {error}") from error
        if mode not in {"L", "P"}:
            raise UnexpectedAnswer(
                f"the mask's pixels are colours ({mode}), not class ids; ask for render='labels'"
            )
        if labels.shape != self.prediction_shape:
            raise UnexpectedAnswer(
                f"the mask has shape {labels.shape}, not {self.prediction_shape} as the answer says"
            )
        return labels

    @cached_property
    def segmentation(self) -> Segmentation:
        """The labels as a Segmentation, which draws colours and overlays; needs no request."""
        classes = (Label(area.id, area.name, area.color) for area in self.classes)
        return Segmentation(self.labels, tuple(classes))


_PREDICTION = TypeAdapter(Prediction)
