"""Settings of the service, from the environment: DRONESEG_MODEL, DRONESEG_TIMEOUT_S, and so on."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from droneseg.bundle import find_bundle

# The checkout, or the folder of a Bento: `bentoml serve` may be called from anywhere.
ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """What can be configured, and its defaults."""

    model_config = SettingsConfigDict(env_prefix="DRONESEG_", frozen=True, validate_default=True)

    model: Annotated[Path, Field(description="the bundle's folder, or its name below models/")] = (
        Path("models/dubai_aerial")
    )
    max_body_bytes: Annotated[int, Field(gt=0, description="larger request bodies are refused")] = (
        32 * 1024 * 1024
    )
    max_bodies_bytes: Annotated[
        int, Field(gt=0, description="of all bodies that come in or are worked on; 429 for more")
    ] = 512 * 1024 * 1024
    body_timeout_s: Annotated[
        float, Field(gt=0, description="a body that takes longer to come in is given up")
    ] = 120
    max_pixels: Annotated[int, Field(gt=0, description="photos of more pixels are refused")] = (
        50_000_000
    )
    max_images: Annotated[
        int, Field(gt=0, description="photos that one request to /batch_predict may have")
    ] = 32
    max_queue: Annotated[
        int,
        # BentoML has 100 connections to the runner, of which health needs one.
        Field(gt=0, le=96, description="photos that wait or are worked on; 429 for more"),
    ] = 64
    batch_size: Annotated[
        int | None,
        Field(gt=0, description="tiles that the network gets at once; if not set, what suits it"),
    ] = None
    small_pixels: Annotated[
        int, Field(gt=0, description="photos of more pixels wait in a line of their own")
    ] = 1024 * 1024
    max_polygon_edges: Annotated[
        int, Field(gt=0, description="label maps with more pixel edges between classes get none")
    ] = 1_000_000
    timeout_s: Annotated[
        float, Field(gt=0, description="a request that takes longer is given up")
    ] = 600
    runner_grace_s: Annotated[
        float, Field(gt=0, description="the server ends when the runner is silent for longer")
    ] = 15
    log_url: Annotated[
        str,
        Field(
            description="where the prediction log is written: a folder, gs://bucket/folder, - for "
            "lines on stdout; none if empty"
        ),
    ] = "prediction-log"
    log_filenames: Annotated[
        bool, Field(description="whether the prediction log has the names of photos")
    ] = False
    api_keys: Annotated[
        tuple[SecretStr, ...],
        NoDecode,
        Field(description="separated by commas; without any, everybody may predict"),
    ] = ()

    dvc_pull: Annotated[
        bool, Field(description="bring the model from dvc_remote at the start, by models.dvc")
    ] = False
    dvc_remote: Annotated[str, Field(description="gs://bucket/folder, as in DVC's settings")] = ""
    dvc_pull_timeout_s: Annotated[
        float, Field(gt=0, description="the server ends if the model did not come by then")
    ] = 120
    input_prefixes: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="below which photos may be named, gs://bucket/folder, with commas"),
    ] = ()
    output_prefixes: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="below which masks may be written, gs://bucket/folder, with commas"),
    ] = ()
    max_object_bytes: Annotated[
        int, Field(gt=0, description="larger photos that a request names are refused")
    ] = 256 * 1024 * 1024

    @field_validator("input_prefixes", "output_prefixes", mode="before")
    @classmethod
    def _split_prefixes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        prefixes = tuple(prefix.strip() for prefix in value.split(",") if prefix.strip())
        if not all(re.fullmatch(r"gs://[^/]+(/.*)?", prefix) for prefix in prefixes):
            raise ValueError("name buckets, or folders in them: gs://bucket/folder")
        return prefixes

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            keys = tuple(key.strip() for key in value.split(",") if key.strip())
            if value and not keys:
                raise ValueError("it is set, but names no key; unset it to let everybody predict")
            return keys
        return value

    @model_validator(mode="after")
    def _room_for_one_body(self) -> "Settings":
        if self.max_bodies_bytes < self.max_body_bytes:
            raise ValueError("DRONESEG_MAX_BODIES_BYTES is less than DRONESEG_MAX_BODY_BYTES")
        return self

    @field_validator("log_url")
    @classmethod
    def _locate(cls, url: str) -> str:
        """Folders are relative to the checkout, as models are."""
        return url if url in ("", "-") or "://" in url else str(ROOT / url)

    @property
    def model_path(self) -> Path:
        """Where the bundle lies."""
        return find_bundle(self.model, ROOT)

    def public(self) -> dict[str, Any]:
        """All settings as JSON types, but of the API keys only whether there are any."""
        shown = self.model_dump(mode="json", exclude={"api_keys"})
        return {**shown, "api_keys": bool(self.api_keys)}


settings = Settings()
