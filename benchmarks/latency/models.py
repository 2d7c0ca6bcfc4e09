"""Models: the default bundle, and nnU-Net's default plan with random weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.latency.flops import gigaflops_a_tile
from droneseg.bundle import Bundle

BUNDLE, PLAN = "bundle", "default-plan"


@dataclass(frozen=True)
class Model:
    """A bundle, and the trained folder that it was made from.

    Attributes:
        trained: None if it is not at hand, so that nnUNetPredictor cannot be run.
    """

    key: str
    title: str
    bundle: Path
    trained: Path | None
    gigaflops_a_tile: float

    def described(self) -> dict[str, Any]:
        """For the results, which name no folders."""
        return {"title": self.title, "gigaflops_a_tile": self.gigaflops_a_tile}


def open_models(
    keys: list[str], bundle: Path, trained: Path | None, folder: Path
) -> Iterator[Model]:
    """The chosen models; files that have to be made go into `folder`."""
    if BUNDLE in keys:
        loaded = Bundle.load(bundle)
        yield _model(BUNDLE, loaded.plan.name, loaded, trained)
    if PLAN in keys:
        # PyTorch and nnU-Net, which a machine that only serves does not have.
        from benchmarks.bundles import DEFAULT_PLAN, write_bundle

        made = write_bundle(DEFAULT_PLAN, folder, "default_plan")
        yield _model(PLAN, "nnU-Net's default plan", made, folder / "trained")


def _model(key: str, title: str, bundle: Bundle, trained: Path | None) -> Model:
    return Model(key, title, bundle.path, trained, gigaflops_a_tile(bundle.model_path()))
