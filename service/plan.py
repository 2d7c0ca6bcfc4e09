"""The plan of the model to serve, whose network the runner holds."""

from pathlib import Path

from bentoml.exceptions import BentoMLException

from droneseg.bundle import Bundle
from droneseg.errors import DroneSegError
from droneseg.images import require_file_channels
from droneseg.plan import InferencePlan
from service.model_pull import pull_model
from service.settings import ROOT, settings


def load_plan() -> tuple[Path, InferencePlan]:
    """Read plan.json and check the bundle's hashes; bring the bundle before, if so configured.

    Raises:
        BentoMLException: there is no such model; BentoML's command line ends with this message.
    """
    try:
        path = settings.model_path
        if settings.dvc_pull:
            remote, timeout_s = settings.dvc_remote, settings.dvc_pull_timeout_s
            path = pull_model(path.name, ROOT / "models.dvc", remote, timeout_s)
        plan = Bundle.load(path).plan
        require_file_channels(len(plan.channel_names))
    except DroneSegError as error:
        raise BentoMLException(f"[{error.code}] {error.message}") from error
    return path, plan


# On import, and not in a process that BentoML would start again and again: without its model the
# server ends at once, and no Bento is built.
model_path, plan = load_plan()
CHANNEL_NAMES = plan.channel_names
CHANNELS = len(CHANNEL_NAMES)
