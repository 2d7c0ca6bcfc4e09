"""The plan of the model to serve, whose network the runner holds."""

from bentoml.exceptions import BentoMLException

from droneseg.bundle import Bundle
from droneseg.errors import DroneSegError
from droneseg.images import require_file_channels
from droneseg.plan import InferencePlan
from service.settings import settings


def load_plan() -> InferencePlan:
    """Read plan.json and check the bundle's hashes.

    Raises:
        BentoMLException: there is no such model; BentoML's command line ends with this message.
    """
    try:
        plan = Bundle.load(settings.model_path).plan
        require_file_channels(len(plan.channel_names))
    except DroneSegError as error:
        raise BentoMLException(f"[{error.code}] {error.message}") from error
    return plan


# On import, and not in a process that BentoML would start again and again: without its model the
# server ends at once, and no Bento is built.
plan = load_plan()
CHANNEL_NAMES = plan.channel_names
CHANNELS = len(CHANNEL_NAMES)
