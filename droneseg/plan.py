"""InferencePlan: everything that inference needs to know about a trained nnU-Net, in plan.json."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from droneseg.errors import InvalidBundle

SCHEMA_VERSION: Final = 1

HexColor = Annotated[str, Field(pattern=r"^#[0-9A-F]{6}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PositiveInt = Annotated[int, Field(gt=0)]
# A field that this version does not know may change what the others mean.
no_other_fields = with_config(ConfigDict(extra="forbid"))


@no_other_fields
@dataclass(frozen=True, slots=True)
class Label:
    """A class of the model: its id in the label map, its name, and the colour it is drawn in."""

    id: Annotated[int, Field(ge=0, le=254)]
    name: str
    color: HexColor

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, each 0 to 255."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue


@no_other_fields
@dataclass(frozen=True, slots=True)
class Channel:
    """An input channel and the class of nnunetv2 that normalises it."""

    name: str
    normalization: Literal["ZScoreNormalization"]


@no_other_fields
@dataclass(frozen=True, slots=True)
class Source:
    """Where the network came from."""

    nnunet_version: str
    dataset: str
    trainer: str
    configuration: str
    folds: tuple[str, ...]
    checkpoint: str
    checkpoint_sha256: tuple[Sha256, ...]


@no_other_fields
@dataclass(frozen=True, slots=True)
class ImageCheck:
    """How one image compared with nnU-Net's predictor when the bundle was made.

    The agreements are shares of pixels with the same label. `reference` is nnUNetPredictor with
    float32 accumulators, `stock` is nnUNetPredictor as it is (float16 accumulators).
    `logit_error` is the largest difference of a logit over the largest logit of the reference.
    """

    image: str
    height: int
    width: int
    agreement_reference: float
    agreement_stock: float
    agreement_reference_stock: float
    logit_error: float


@no_other_fields
@dataclass(frozen=True, slots=True)
class Verification:
    """What the export verified before it let the bundle appear."""

    engine: str
    versions: dict[str, str]
    checks: tuple[ImageCheck, ...]


@no_other_fields
@dataclass(frozen=True, slots=True)
class InferencePlan:
    """What nnU-Net's plans.json, dataset.json and checkpoint say about inference, and no more.

    Attributes:
        patch_size: height and width in px of the network's input.
        tile_step_size: step between windows as a share of the patch.
        gaussian_sigma_scale: sigma of the window weights as a share of the patch.
        mirror_axes: spatial axes (0 height, 1 width) over which predictions are mirrored.
        files: SHA-256 of every other file in the bundle.
        content_hash: SHA-256 of this plan, and so of all that it names; it identifies the model.
    """

    schema_version: Literal[1]
    name: str
    labels: Annotated[tuple[Label, ...], Field(min_length=2, max_length=254)]
    ignore_label: int | None
    channels: Annotated[tuple[Channel, ...], Field(min_length=3, max_length=3)]
    patch_size: tuple[PositiveInt, PositiveInt]
    tile_step_size: Annotated[float, Field(gt=0, le=1)]
    gaussian_sigma_scale: Annotated[float, Field(gt=0)]
    mirror_axes: tuple[Annotated[int, Field(ge=0, le=1)], ...]
    source: Source
    verification: Verification | None = None
    files: dict[str, Sha256] = field(default_factory=dict)
    content_hash: str = ""

    @property
    def num_classes(self) -> int:
        """Number of logits of a pixel: nnU-Net's num_segmentation_heads."""
        return len(self.labels)

    def sealed(self) -> "InferencePlan":
        """This plan with the content hash filled in."""
        return replace(self, content_hash=self._digest())

    def save(self, path: Path) -> None:
        """Write plan.json."""
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON types."""
        dumped: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return dumped

    @classmethod
    def load(cls, path: Path) -> "InferencePlan":
        """Read plan.json.

        Raises:
            InvalidBundle: it is unreadable, of another schema, or was altered.
        """
        try:
            plan = _ADAPTER.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise InvalidBundle(f"{path} cannot be read as an inference plan: {error}") from error
        if plan.content_hash != plan._digest():
            raise InvalidBundle(f"{path} was altered after its export: its content hash differs")
        return plan

    def _digest(self) -> str:
        content = {k: v for k, v in self.as_dict().items() if k != "content_hash"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


_ADAPTER = TypeAdapter(InferencePlan)
