"""What `make deploy` would apply is what Google's APIs take."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.capacity import DEMANDS, planned
from tests.deploy.discovery import validator

ROOT = Path(__file__).parent.parent.parent
VARIABLES = {
    "PROJECT": "fields",
    "REGION": "europe-west4",
    "IMAGE": "droneseg:1",
    "COLLECTOR_IMAGE": "collector:1",
    "EMAIL": "ops@example.org",
}


def make_deploy(flavour: str, **more: str) -> subprocess.CompletedProcess[str]:
    variables = VARIABLES | {"FLAVOUR": flavour} | more
    # What is installed is what these tests run with.
    make = ["make", "--silent", "--assume-old", ".venv/installed-cpu", "deploy"]
    command = [*make, *(f"{name}={value}" for name, value in variables.items())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(params=DEMANDS)
def documents(request: pytest.FixtureRequest) -> list[Any]:
    done = make_deploy(request.param, DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    return [request.param, *yaml.safe_load_all(done.stdout)]


def test_the_manifests_fit_the_schemas(documents: list[Any]) -> None:
    _, service, *alerts = documents
    validator("run.v1", "Service").validate(service)
    assert len(alerts) == 3
    for alert in alerts:
        validator("monitoring.v3", "AlertPolicy").validate(alert)


def test_the_service_is_what_the_capacity_page_derives(documents: list[Any]) -> None:
    flavour, service, *_ = documents
    plan = planned(flavour)
    template = service["spec"]["template"]
    spec = template["spec"]
    assert spec["containerConcurrency"] == plan.concurrency
    annotations = template["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/maxScale"] == str(plan.instances)
    limits = spec["containers"][0]["resources"]["limits"]
    instance = DEMANDS[flavour].instance
    assert (limits["cpu"], limits["memory"]) == (f"{instance.vcpus}", f"{instance.memory_gib}Gi")
    assert limits.get("nvidia.com/gpu", "0") == str(instance.gpus)


def test_a_request_ends_with_the_services_own_answer(documents: list[Any]) -> None:
    _, service, *_ = documents
    spec = service["spec"]["template"]["spec"]
    # In a process of its own, as BentoML's imports warn.
    code = "from service.settings import settings; print(settings.timeout_s, settings.max_queue)"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    timeout_s, max_queue = map(float, said.split())
    assert spec["timeoutSeconds"] > timeout_s
    assert spec["containerConcurrency"] <= max_queue


def test_the_schema_refuses_what_is_not_in_it() -> None:
    run = validator("run.v1", "Service")
    assert not run.is_valid({"spec": {"template": {"spec": {"concurrency": 1}}}})
    assert not run.is_valid({"spec": {"template": {"spec": {"containerConcurrency": "1"}}}})


GCLOUD = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in
  *"channels create"*) echo projects/fields/notificationChannels/7 ;;
  *"policies list"*slow*) echo projects/fields/alertPolicies/3 ;;
esac
"""


def test_deploying_replaces_the_service_and_the_policies_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for gcloud, which has nobody to talk to here."""
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(GCLOUD)
    gcloud.chmod(0o755)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = make_deploy("cpu")
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith("run services replace")
    assert "email_address=ops@example.org" in calls[2]
    changes = [call for call in calls if "--policy-from-file" in call]
    assert [call.split()[3] for call in changes] == ["create", "update", "create"]
    assert all("--project=fields" in call for call in calls)


def test_a_deployment_without_its_variables_says_which() -> None:
    done = make_deploy("cpu", IMAGE="", DRY_RUN="1")
    assert done.returncode != 0
    assert "IMAGE" in done.stderr
