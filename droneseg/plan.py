"""InferencePlan: everything that inference needs to know about a trained nnU-Net, in plan.json."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from droneseg.errors import InvalidBundle
from droneseg.verification import Verification

SCHEMA_VERSION: Final = 1

HexColor = Annotated[str, Field(pattern=r"^#[0-9A-F]{6}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# A name without a folder: nothing outside of the bundle can be named.
FileName = Annotated[str, Field(pattern=r"^\w[\w-]*(\.[\w-]+)*$")]
PositiveInt = Annotated[int, Field(gt=0)]
LabelId = Annotated[int, Field(ge=0, le=254)]
Scheme = Literal[
    "ZScoreNormalization",
    "CTNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
]
# A field that this version does not know may change what the others mean.
no_other_fields = with_config(ConfigDict(extra="forbid"))


@no_other_fields
@dataclass(frozen=True, slots=True)
class Label:
    """A class of the model: its id in the label map, its name, and the colour it is drawn in."""

    id: LabelId
    name: str
    color: HexColor

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, each 0 to 255."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue


@no_other_fields
@dataclass(frozen=True, slots=True)
class Region:
    """A head of a region-based model, which says by itself whether a pixel belongs to it.

    Attributes:
        name: as in dataset.json.
        labels: the labels that were merged for training.
        id: what is written where the region is found, over what earlier regions wrote: the
            region's entry of nnU-Net's regions_class_order.
    """

    name: str
    labels: tuple[int, ...]
    id: LabelId


@no_other_fields
@dataclass(frozen=True, slots=True)
class Intensities:
    """Intensities of the training set's foreground, which CTNormalization uses."""

    mean: float
    std: float
    percentile_00_5: float
    percentile_99_5: float


@no_other_fields
@dataclass(frozen=True, slots=True)
class Channel:
    """An input channel.

    Attributes:
        normalization: the class of nnunetv2 that normalises it.
        use_mask_for_norm: z-score over the pixels of which any channel is not 0, the others stay 0.
        intensities: for CTNormalization.
    """

    name: str
    normalization: Scheme
    use_mask_for_norm: bool = False
    intensities: Intensities | None = None

    def __post_init__(self) -> None:
        if self.normalization == "CTNormalization" and self.intensities is None:
            raise ValueError(f"channel {self.name}: CTNormalization needs intensities")


@no_other_fields
@dataclass(frozen=True, slots=True)
class Source:
    """Where a network came from."""

    nnunet_version: str
    dataset: str
    trainer: str
    configuration: str
    folds: tuple[str, ...]
    checkpoint: str
    checkpoint_sha256: tuple[Sha256, ...]


@no_other_fields
@dataclass(frozen=True, slots=True)
class Member:
    """A trained model; most bundles have one, an ensemble has several.

    Attributes:
        model: the network's file: tiles float32 [N, C, H, W] in, logits float32 [N, K, H, W] out.
        probes: the file of its probe tiles.
        patch_size: height and width in px of the network's input.
        mirror_axes: spatial axes (0 height, 1 width) over which predictions are mirrored.
    """

    model: FileName
    probes: FileName
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    patch_size: tuple[PositiveInt, PositiveInt]
    mirror_axes: tuple[Annotated[int, Field(ge=0, le=1)], ...]
    source: Source


@no_other_fields
@dataclass(frozen=True, slots=True)
class InferencePlan:
    """What nnU-Net's plans.json, dataset.json and checkpoint say about inference, and no more.

    Attributes:
        labels: every value that the label map can have, ascending.
        regions: one for each head of a region-based model; none where the heads are the labels.
        members: the models whose probabilities are averaged; one alone decides by its logits.
        tile_step_size: step between windows as a share of the patch.
        gaussian_sigma_scale: sigma of the window weights as a share of the patch.
        files: SHA-256 of every other file in the bundle.
        content_hash: SHA-256 of this plan, and so of all that it names; it identifies the model.
    """

    schema_version: Literal[1]
    name: str
    labels: Annotated[tuple[Label, ...], Field(min_length=2, max_length=254)]
    ignore_label: int | None
    regions: tuple[Region, ...]
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    tile_step_size: Annotated[float, Field(gt=0, le=1)]
    gaussian_sigma_scale: Annotated[float, Field(gt=0)]
    verifications: tuple[Verification, ...] = ()
    files: dict[FileName, Sha256] = field(default_factory=dict)
    content_hash: str = ""

    @property
    def num_segmentation_heads(self) -> int:
        """Number of logits of a pixel, as nnU-Net calls it."""
        return len(self.regions or self.labels)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the input channels, which all members share."""
        return tuple(channel.name for channel in self.members[0].channels)

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
