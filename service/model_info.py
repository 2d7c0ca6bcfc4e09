"""What the service says about its model and itself."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from droneseg.verification import Verification
from service.plan import plan
from service.settings import settings


class ClassInfo(BaseModel):
    """A class of the model."""

    id: int
    name: str
    color: Annotated[str, Field(description="as #RRGGBB")]


class ModeInfo(BaseModel):
    """What runs a mode."""

    engine: str
    precision: str


class Certificate(BaseModel):
    """How an engine compared with nnU-Net's predictor when the model was exported."""

    engine: str
    passed: bool
    photos: int
    min_agreement: Annotated[float, Field(description="share of labels equal, at the least")]
    max_logit_error: Annotated[float, Field(description="over the largest logit, at the most")]
    versions: dict[str, str]


class Limits(BaseModel):
    """Beyond these a request is refused."""

    max_body_bytes: int
    max_pixels: int
    max_images: int
    max_queue: int
    max_polygon_edges: int
    timeout_s: float


class ModelInfo(BaseModel):
    """What /model_info answers."""

    name: str
    hash: str
    model_loaded: bool
    engine: Annotated[str | None, Field(description="the runtime; none before it is ready")]
    precision: Annotated[str | None, Field(description="of mode `exact`")]
    modes: Annotated[dict[str, ModeInfo], Field(description="what runs each mode")]
    classes: list[ClassInfo]
    channels: list[str]
    patch_size: Annotated[list[int], Field(description="height and width of a window in px")]
    certificate: list[Certificate]
    limits: Limits
    settings: Annotated[dict[str, Any], Field(description="without secrets")]
    versions: dict[str, str]


def model_info(runner_info: dict[str, Any] | None) -> ModelInfo:
    """Of the plan, the settings, and the runner if it is ready."""
    known = runner_info or {"modes": {}, "versions": {}}
    modes = {mode: ModeInfo(**used) for mode, used in known["modes"].items()}
    exact = modes.get("exact")
    return ModelInfo(
        name=plan.name,
        hash=plan.content_hash,
        model_loaded=runner_info is not None,
        engine=exact.engine if exact else None,
        precision=exact.precision if exact else None,
        modes=modes,
        classes=[ClassInfo(id=x.id, name=x.name, color=x.color) for x in plan.labels],
        channels=list(plan.channel_names),
        patch_size=list(plan.members[0].patch_size),
        certificate=[_certificate(verification) for verification in plan.verifications],
        limits=Limits(**{name: getattr(settings, name) for name in Limits.model_fields}),
        settings=settings.public(),
        versions=known["versions"],
    )


def _certificate(verification: Verification) -> Certificate:
    checks = verification.checks
    return Certificate(
        engine=verification.engine,
        passed=verification.passed,
        photos=len(checks),
        min_agreement=min((check.agreement_reference for check in checks), default=0.0),
        max_logit_error=max((check.logit_error for check in checks), default=0.0),
        versions=verification.versions,
    )
