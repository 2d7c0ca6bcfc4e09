"""Settings of the service, from the environment: DRONESEG_MODEL, DRONESEG_TIMEOUT_S, and so on."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

# The checkout, or the folder of a Bento: `bentoml serve` may be called from anywhere.
ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """What can be configured, and its defaults."""

    model_config = SettingsConfigDict(env_prefix="DRONESEG_", frozen=True)

    model: Path = Field(
        Path("models/dubai_aerial"), description="the bundle's folder, or its name below models/"
    )
    max_pixels: int = Field(50_000_000, gt=0, description="larger photos are refused")
    max_batch_size: int = Field(8, gt=0, description="photos that the runner takes at once")
    timeout_s: float = Field(120, gt=0, description="a request that takes longer is given up")

    @property
    def model_path(self) -> Path:
        """Where the bundle lies."""
        if len(self.model.parts) == 1 and not self.model.is_dir():
            return ROOT / "models" / self.model
        return ROOT / self.model


settings = Settings()
