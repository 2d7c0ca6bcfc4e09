"""ReferenceProfile: descriptors and class fractions of the photos that a model was made with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from drift.errors import NoReference, TooLittleData
from droneseg.bundle import PLAN_FILE
from droneseg.descriptors import describe_photo
from droneseg.images import decode_image
from droneseg.masks import IGNORED, class_ids
from droneseg.plan import InferencePlan
from droneseg.predictor import Predictor

REFERENCE_FILE = "reference.json"
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")
MIN_PHOTOS = 20
# Of the columns that are shares of classes.
FRACTION = "fraction_"


@dataclass(frozen=True, slots=True)
class ReferenceProfile:
    """Numbers alone, in a file beside plan.json that names the plan, so that this stays as it is.

    Attributes:
        model, model_hash: of the bundle.
        created: when, UTC.
        fractions_of: whether class fractions are of the model's predictions or of masks.
        columns: for each name a value a photo.
    """

    schema_version: Literal[1]
    model: str
    model_hash: str
    created: datetime
    fractions_of: Literal["predictions", "masks"]
    columns: dict[str, list[float]]

    @property
    def photos(self) -> int:
        """How many there were."""
        return len(next(iter(self.columns.values())))

    def save(self, model: Path) -> Path:
        """Write reference.json into a bundle's folder."""
        path = model / REFERENCE_FILE
        path.write_bytes(_ADAPTER.dump_json(self, indent=1) + b"\n")
        return path

    @classmethod
    def load(cls, model: Path) -> "ReferenceProfile":
        """Of a bundle's folder.

        Raises:
            NoReference: there is none, or it is of another model.
        """
        make = f"make one: python -m drift reference IMAGES --model {model}"
        try:
            profile = _ADAPTER.validate_json((model / REFERENCE_FILE).read_bytes())
        except FileNotFoundError:
            raise NoReference(f"{model} has no {REFERENCE_FILE}; {make}") from None
        except ValidationError as error:
            raise NoReference(f"{model / REFERENCE_FILE} cannot be read: {error}; {make}") from None
        if profile.model_hash != InferencePlan.load(model / PLAN_FILE).content_hash:
            raise NoReference(f"{model / REFERENCE_FILE} is of another model; {make}")
        return profile


_ADAPTER = TypeAdapter(ReferenceProfile)


def profile_photos(model: Path, images: Path, masks: Path | None) -> ReferenceProfile:
    """Describe all photos of a folder.

    Args:
        model: the bundle's folder.
        images: a folder of photos.
        masks: a folder with a NAME.png in the classes' colours for each; the model's predictions
            are taken if there is none.

    Raises:
        TooLittleData: there are too few photos.
        DroneSegError: a photo or the model cannot be used.
    """
    paths = sorted(path for path in images.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(paths) < MIN_PHOTOS:
        raise TooLittleData(f"{images} has {len(paths)} photos; a profile needs {MIN_PHOTOS}")
    plan = InferencePlan.load(model / PLAN_FILE)
    names = plan.channel_names
    photos = (decode_image(path.read_bytes(), channels=len(names)) for path in paths)
    labels = _painted(plan, masks, paths) if masks else _predicted(model, paths)
    rows = [
        {**describe_photo(photo, names), **_fractions(ids, plan)}
        for photo, ids in zip(photos, tqdm(labels, total=len(paths), unit="photo"), strict=True)
    ]
    return ReferenceProfile(
        schema_version=1,
        model=plan.name,
        model_hash=plan.content_hash,
        created=datetime.now(UTC),
        fractions_of="masks" if masks else "predictions",
        columns={name: [row[name] for row in rows] for name in rows[0]},
    )


def _predicted(model: Path, paths: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    predictor = Predictor(model)
    channels = len(predictor.plan.channel_names)
    photos = (decode_image(path.read_bytes(), channels=channels) for path in paths)
    return (segmentation.labels for segmentation in predictor.stream(photos))


def _painted(
    plan: InferencePlan, masks: Path, paths: Sequence[Path]
) -> Iterator[NDArray[np.uint8]]:
    for path in paths:
        with Image.open(masks / f"{path.stem}.png") as mask:
            # nnU-Net's class 0 stands for what nobody annotated.
            yield class_ids(np.asarray(mask.convert("RGB")), plan.labels[1:])


def _fractions(ids: NDArray[np.uint8], plan: InferencePlan) -> dict[str, float]:
    """Of all pixels that have a class."""
    counts = np.bincount(ids.reshape(-1), minlength=256)
    counted = max(1, counts.sum() - counts[IGNORED])
    return {
        f"{FRACTION}{label.name}": round(float(counts[label.id] / counted), 6)
        for label in plan.labels
    }
