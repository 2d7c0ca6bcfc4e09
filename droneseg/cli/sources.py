"""Where segmentations come from: the model on this machine, or a service."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.errors import DroneSegError
from droneseg.images import decode_image
from droneseg.mode import Mode
from droneseg.predictor import Predictor
from droneseg.segmentation import Segmentation

Skip = Callable[[Path, Exception], None]
# These would be the answer for every other photo, too.
HOPELESS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Segmented:
    """A photo, uint8 [H, W, C], and its segmentation."""

    path: Path
    photo: NDArray[np.uint8]
    segmentation: Segmentation


class Source(Protocol):
    """Segments files in order; a bad one is handed to `skip`."""

    def segment(self, paths: Sequence[Path], skip: Skip) -> Iterator[Segmented]:
        """The good photos, each as soon as it is complete."""
        ...


class ClientNotInstalled(DroneSegError):
    """httpx is missing."""

    code = "client_not_installed"


class LocalModel:
    """A bundle's Predictor; photos are decoded as its batches need them."""

    def __init__(self, bundle: Bundle, **settings: Any):
        """Take the bundle and settings of Predictor."""
        self._predictor = Predictor(bundle, **settings)
        self._channels = len(bundle.plan.channel_names)

    def segment(self, paths: Sequence[Path], skip: Skip) -> Iterator[Segmented]:
        """As Source says."""
        # Decoded photos whose result is still to come.
        waiting: deque[tuple[Path, NDArray[np.uint8]]] = deque()

        def photos() -> Iterator[NDArray[np.uint8]]:
            for path in paths:
                try:
                    photo = decode_image(path.read_bytes(), channels=self._channels)
                except (DroneSegError, OSError) as error:
                    skip(path, error)
                else:
                    waiting.append((path, photo))
                    yield photo

        for segmentation in self._predictor.stream(photos()):
            yield Segmented(*waiting.popleft(), segmentation)


class Service:
    """A service at a URL, some photos at a time; colours and overlays are drawn here."""

    def __init__(self, url: str, api_key: str | None, mode: Mode):
        try:
            from droneseg.client import Client
        except ModuleNotFoundError as error:
            raise ClientNotInstalled(
                f'{error.name} is not installed; `pip install "droneseg[client]"` brings it'
            ) from error
        self._client = Client(url, api_key=api_key)
        self._mode = mode

    def segment(self, paths: Sequence[Path], skip: Skip) -> Iterator[Segmented]:
        """As Source says.

        Raises:
            ClientError: no photo will ever get an answer: nothing listens at the URL, what does
                is no DroneSeg, or the key is wrong.
        """
        from droneseg.client import Prediction, ServiceUnreachable

        with (
            self._client as client,
            closing(client.predict_many(paths, mode=self._mode)) as answers,
        ):
            for path, answer in zip(paths, answers, strict=True):
                if isinstance(answer, Prediction):
                    try:
                        photo = decode_image(path.read_bytes())
                        segmented = Segmented(path, photo, answer.segmentation)
                    except (DroneSegError, OSError) as error:
                        skip(path, error)
                    else:
                        yield segmented
                elif isinstance(answer, ServiceUnreachable) or answer.status in HOPELESS:
                    raise answer
                else:
                    skip(path, answer)
