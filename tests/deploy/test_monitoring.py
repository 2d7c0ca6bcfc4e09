"""A real Prometheus scrapes the real service; rules and dashboard ask for what is there."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from droneseg.bundle import Bundle
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.service.server import ROOT, free_port, serve

pytestmark = pytest.mark.service

FOLDER = ROOT / "deploy" / "monitoring"
PHOTO = encode_png(draw_scene(30, 40, seed=0))
WAIT_S = 60
# Grafana's, as it would fill them in.
VARIABLES = {"$__rate_interval": "1m", "$job": "droneseg"}


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_configuration_and_rules_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


def test_alerts_fire_when_they_should() -> None:
    promtool("test", "rules", "alerts_test.yml")
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    fired = {
        case["alertname"]
        for test in tests
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules}


def queries() -> Iterator[str]:
    """All that the dashboard and the rules ask for."""
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


@pytest.fixture(scope="module")
def prometheus(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that has scraped a service with some traffic, and a report."""
    folder = tmp_path_factory.mktemp("monitored")
    report = folder / "prediction-log" / "drift" / "20260101T000000Z.json"
    report.parent.mkdir(parents=True)
    report.write_text('{"drift_share": 0.5, "created": "2026-01-01T00:00:00Z"}')
    with serve(folder, DRONESEG_MODEL=str(two_folds_bundle.path)) as server:
        server.wait_until_ready()
        with scraping(folder, server.url.removeprefix("http://")) as address:
            # It begins after some seconds, and a rate wants what was before.
            wait_until(lambda: bool(ask(address, "droneseg_queue_photos")))
            for _ in range(3):
                httpx.post(f"{server.url}/predict", files={"data": PHOTO}, timeout=60)
                httpx.post(f"{server.url}/predict", files={"data": b"no image"})
                time.sleep(1)
            wait_until(lambda: bool(ask(address, "droneseg_photos_total > 2")))
            wait_until(lambda: bool(ask(address, "rate(droneseg_photos_total[1m]) > 0")))
            yield address


class scraping:  # noqa: N801 - reads as a statement
    """A Prometheus with the configuration of the repository, but another target, and quicker."""

    def __init__(self, folder: Path, target: str):
        config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._address = f"127.0.0.1:{free_port()}"
        self._command = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={self._address}",
        ]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        address = f"http://{self._address}"
        wait_until(lambda: httpx.get(f"{address}/-/ready").status_code == 200)
        return address

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if condition():
                return
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def ask(address: str, query: str) -> list[dict[str, Any]]:
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    answer = httpx.get(f"{address}/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def test_prometheus_reads_the_service(prometheus: str) -> None:
    targets = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")]
    (photos,) = ask(prometheus, "sum(droneseg_photos_total)")
    assert photos["value"][1] == "3"


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_every_query_asks_for_what_is_there(prometheus: str, query: str) -> None:
    """Metrics and labels by name; a query whose condition does not hold has no result."""
    ask(prometheus, query)
    for name, matchers in re.findall(r"\b((?:droneseg|bentoml)_\w+|up)\b(?:\{([^}]*)\})?", query):
        series = ask(prometheus, name)
        assert series, f"{name} is not there"
        labels = {label for one in series for label in one["metric"]}
        asked = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers))
        assert asked <= labels, (name, asked - labels)
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        known = {label for one in ask(prometheus, '{job="droneseg"}') for label in one["metric"]}
        assert set(re.split(r",\s*", grouped)) <= known


def test_every_metric_is_on_the_dashboard(prometheus: str) -> None:
    names = {one["metric"]["__name__"] for one in ask(prometheus, '{__name__=~"droneseg_.*"}')}
    asked = " ".join(queries())
    base = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in names}
    assert {name for name in base if name not in asked} == set()


def test_drift_of_the_newest_report_is_an_alert(prometheus: str) -> None:
    wait_until(lambda: bool(ask(prometheus, 'ALERTS{alertname="DroneSegDrift"}')))
