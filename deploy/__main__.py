"""Deploys to Cloud Run: the service, and the alert policies with their e-mail.

python -m deploy cpu --project P --region R --image IMAGE --collector-image IMAGE --email ADDRESS

needs gcloud, signed in. `--dry-run` prints what would be applied.
"""

import argparse
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from deploy.capacity import DEMANDS, planned
from deploy.manifests import Deployment

NAME = "--format=value(name)"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument("flavour", choices=DEMANDS)
    parser.add_argument("--project", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--image", required=True, help="of `bentoml containerize`, pushed")
    parser.add_argument("--collector-image", required=True, help="Google's cloud-run-gmp-sidecar")
    parser.add_argument("--email", required=True, help="where alerts go")
    parser.add_argument("--name", default="droneseg")
    parser.add_argument("--service-account", help="if not NAME@PROJECT.iam...")
    parser.add_argument("--concurrency", type=int, help="see docs/capacity.md")
    parser.add_argument("--max-instances", type=int, help="see docs/capacity.md")
    parser.add_argument("--dry-run", action="store_true", help="print and change nothing")
    return parser.parse_args(arguments)


def deployment(given: argparse.Namespace) -> Deployment:
    """What to deploy, by the command line and by docs/capacity.md."""
    plan = planned(given.flavour)
    account = f"{given.name}@{given.project}.iam.gserviceaccount.com"
    return Deployment(
        name=given.name,
        image=given.image,
        collector_image=given.collector_image,
        service_account=given.service_account or account,
        concurrency=given.concurrency or plan.concurrency,
        max_instances=given.max_instances or plan.instances,
        latency_s=DEMANDS[given.flavour].latency_s,
    )


class Gcloud:
    """gcloud in a project."""

    def __init__(self, project: str, region: str):
        """Nothing is asked yet."""
        self._project = project
        self._region = region

    def deploy(self, manifest: Path) -> None:
        """Make the service be what its manifest says."""
        self._run("run", "services", "replace", str(manifest), f"--region={self._region}")

    def channel(self, name: str, email: str) -> str:
        """The notification channel of an address, made if there is none."""
        channels = ("beta", "monitoring", "channels")
        wanted = f'--filter=type="email" AND labels.email_address="{email}"'
        known = self._run(*channels, "list", wanted, "--limit=1", NAME)
        settings = (
            f"--display-name={name}",
            "--type=email",
            f"--channel-labels=email_address={email}",
        )
        return known or self._run(*channels, "create", *settings, NAME)

    def alert(self, policy: Path, title: str) -> None:
        """Write an alert policy over the one that has its title, or make it."""
        policies = ("alpha", "monitoring", "policies")
        known = self._run(*policies, "list", f'--filter=displayName="{title}"', "--limit=1", NAME)
        change = ("update", known) if known else ("create",)
        self._run(*policies, *change, f"--policy-from-file={policy}")

    def _run(self, *arguments: str) -> str:
        command = ["gcloud", *arguments, f"--project={self._project}", "--quiet"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.strip()


def show(wanted: Deployment, given: argparse.Namespace) -> None:
    """Print all manifests as YAML."""
    alerts = wanted.alerts(f"the channel of {given.email}")
    print("---\n".join([wanted.service(given.flavour), *alerts.values()]))


def apply(wanted: Deployment, given: argparse.Namespace) -> None:
    """Let gcloud apply all manifests."""
    gcloud = Gcloud(given.project, given.region)
    with TemporaryDirectory() as folder:
        manifest = Path(folder) / "service.yaml"
        manifest.write_text(wanted.service(given.flavour))
        gcloud.deploy(manifest)
        for name, text in wanted.alerts(gcloud.channel(given.name, given.email)).items():
            policy = Path(folder) / f"{name}.yaml"
            policy.write_text(text)
            gcloud.alert(policy, yaml.safe_load(text)["displayName"])


def main() -> None:
    """Print or apply."""
    given = parse()
    (show if given.dry_run else apply)(deployment(given), given)


if __name__ == "__main__":
    main()
