"""Verification: how an engine compared with nnU-Net's predictor, photo by photo."""

from dataclasses import dataclass

from pydantic import ConfigDict, with_config

no_other_fields = with_config(ConfigDict(extra="forbid"))


@no_other_fields
@dataclass(frozen=True, slots=True)
class ImageCheck:
    """How one image compared.

    The agreements are shares of pixels with the same label. `reference` is nnUNetPredictor with
    float32 accumulators, `stock` is nnUNetPredictor as it is (float16 accumulators).

    Attributes:
        differing_px: pixels whose label is not the reference's.
        logit_error: the largest difference of a logit over the largest logit of the reference.
        dice: Dice of each class with the reference, by its name; of classes that occur in either.
    """

    image: str
    height: int
    width: int
    agreement_reference: float
    agreement_stock: float
    agreement_reference_stock: float
    differing_px: int
    logit_error: float
    dice: dict[str, float]


@no_other_fields
@dataclass(frozen=True, slots=True)
class Verification:
    """What one engine was measured to give.

    Attributes:
        engine: the runtime and its device, such as `onnxruntime-cpu`.
        versions: of the packages that took part.
        machine: processor and cores.
        passed: whether every bar was met.
    """

    engine: str
    versions: dict[str, str]
    machine: str
    passed: bool
    checks: tuple[ImageCheck, ...]

    def summary(self) -> str:
        """A line for each photo, for a terminal."""
        return "\n".join(
            f"  {self.engine}, {check.image} ({check.height}x{check.width}): "
            f"{check.agreement_reference:.4%} of the labels equal, logits within "
            f"{check.logit_error:.1e}; stock nnU-Net {check.agreement_stock:.4%} (with itself "
            f"{check.agreement_reference_stock:.4%})"
            for check in self.checks
        )
