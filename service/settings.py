"""Settings of the service, from the environment: DRONESEG_MODEL, DRONESEG_TIMEOUT_S, and so on."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from droneseg.bundle import find_bundle

# The checkout, or the folder of a Bento: `bentoml serve` may be called from anywhere.
ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """What can be configured, and its defaults."""

    model_config = SettingsConfigDict(env_prefix="DRONESEG_", frozen=True)

    model: Annotated[Path, Field(description="the bundle's folder, or its name below models/")] = (
        Path("models/dubai_aerial")
    )
    max_pixels: Annotated[int, Field(gt=0, description="photos of more pixels are refused")] = (
        50_000_000
    )
    max_batch_size: Annotated[
        int, Field(gt=0, description="photos that the runner takes at once")
    ] = 4
    timeout_s: Annotated[
        float, Field(gt=0, description="a request that takes longer is given up")
    ] = 600

    @property
    def model_path(self) -> Path:
        """Where the bundle lies."""
        return find_bundle(self.model, ROOT)


settings = Settings()
