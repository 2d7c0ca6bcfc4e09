"""Manifests of Cloud Run and Cloud Monitoring, with their variables filled in."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Literal

FOLDER = Path(__file__).parent / "cloudrun"
Flavour = Literal["cpu", "l4"]


@dataclass(frozen=True)
class Deployment:
    """What the manifests leave open.

    Attributes:
        image: of the service, with its tag or, better, its digest.
        collector_image: Google's "cloud-run-gmp-sidecar", as its documentation names it.
        concurrency: requests that Cloud Run sends to an instance at once.
        latency_s: the alert's limit for one request in twenty.
    """

    name: str
    image: str
    collector_image: str
    service_account: str
    concurrency: int
    max_instances: int
    latency_s: int

    def service(self, flavour: Flavour) -> str:
        """The Cloud Run service, as YAML."""
        return _filled(FOLDER / f"{flavour}.yaml", self._variables())

    def alerts(self, channel: str) -> dict[str, str]:
        """The alert policies as YAML by their file's name; `channel` is a notification channel."""
        variables = {**self._variables(), "CHANNEL": channel}
        return {path.stem: _filled(path, variables) for path in sorted(FOLDER.glob("alerts/*"))}

    def _variables(self) -> dict[str, str]:
        return {field.upper(): str(value) for field, value in asdict(self).items()}


def _filled(path: Path, variables: Mapping[str, str]) -> str:
    return Template(path.read_text()).substitute(variables)
