"""The prediction log loses nothing while its store comes and goes, and says what it drops."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from droneseg.bundle import Bundle
from droneseg.prediction_record import PREDICTIONS, PredictionRecord
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from droneseg.store import Store
from tests.service.gcs import BUCKET, Network, emulator
from tests.service.in_process import metrics
from tests.service.in_process import prediction_log as module
from tests.service.server import Server, serve

RECORDS = 10_000
URL = f"gs://{BUCKET}/log"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with emulator() as running:
        yield running


def record(index: int) -> PredictionRecord:
    return PredictionRecord(
        id=uuid.uuid4().hex,
        time=datetime.now(UTC),
        request_id=str(index),
        model="a",
        model_hash="b",
        mode="exact",
        engine="c",
        precision="fp32",
        width=640,
        height=480,
        descriptors={"brightness": 0.5, "contrast": 0.2},
        fractions={"road": 1.0},
    )


def read(url: str) -> list[PredictionRecord]:
    """All records, as often as they are there."""
    store = Store(url)
    lines = (line for name in store.names(PREDICTIONS) for line in store.read(name).splitlines())
    return [PredictionRecord.from_json(line) for line in lines]


def test_a_store_that_is_down_a_third_of_the_time_loses_nothing(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections are refused, cut, or lose answers to writes that were done."""
    monkeypatch.setattr(module, "MAX_BACKOFF_S", 0.2)
    monkeypatch.setattr(module, "WRITE_TIMEOUT_S", 0.5)
    log = module.open_log(f"{URL}/faults")
    assert log is not None
    retried = metrics.LOG_RETRIED._value.get()
    over = threading.Event()
    seconds = {"up": 0.0, "down": 0.0}
    outages = threading.Thread(target=fail, args=(network, over, seconds))
    outages.start()
    try:
        for index in range(RECORDS):
            log.add(record(index))
            time.sleep(0.001)
    finally:
        over.set()
        outages.join()
    log.close(timeout_s=30)
    assert seconds["down"] > (seconds["down"] + seconds["up"]) / 3
    assert metrics.LOG_RETRIED._value.get() > retried
    assert sorted(int(r.request_id) for r in read(f"{URL}/faults")) == list(range(RECORDS))


def fail(network: Network, over: threading.Event, seconds: dict[str, float]) -> None:
    """Down for more than a third of the time, half of it only on the way back."""
    cycle = 0
    while not over.is_set():
        began = time.monotonic()
        if cycle % 2:
            network.cut()
        else:
            network.loses_answers = True
        over.wait(0.7)
        seconds["down"] += time.monotonic() - began
        network.up, network.loses_answers = True, False
        began = time.monotonic()
        over.wait(1)
        seconds["up"] += time.monotonic() - began
        cycle += 1
    network.up, network.loses_answers = True, False


def test_a_store_that_stays_down_costs_records_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BUFFER_RECORDS", 5)
    dropped = metrics.LOG_DROPPED._value.get()

    def refuse(name: str, data: bytes) -> None:
        raise OSError("no store")

    log = module.PredictionLog(refuse)
    for index in range(8):
        log.add(record(index))
    assert metrics.LOG_DROPPED._value.get() - dropped == 3
    log.close(timeout_s=0.1)
    assert metrics.LOG_DROPPED._value.get() - dropped == 8
    log.add(record(8))
    assert metrics.LOG_DROPPED._value.get() - dropped == 9


def test_a_small_batch_is_written_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_EVERY_S", 0.1)
    log = module.open_log(str(tmp_path))
    assert log is not None
    log.add(record(0))
    deadline = time.monotonic() + 20
    while not read(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [r.request_id for r in read(str(tmp_path))] == ["0"]
    log.close()


def test_no_url_is_no_log() -> None:
    assert module.open_log("") is None


def post(server: Server, route: str, photos: int, **headers: str) -> httpx.Response:
    files = [
        ("data", (f"secret{i}.png", encode_png(draw_scene(30 + i, 40, i)))) for i in range(photos)
    ]
    url = f"{server.url}/{route}?confidence=true&classes=road"
    return httpx.post(url, files=files, headers=headers, timeout=60).raise_for_status()


def test_sigterm_writes_what_a_store_that_was_down_did_not_take(
    network: Network, two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    """Predictions succeed meanwhile."""
    url = f"{URL}/sigterm"
    with serve(tmp_path, DRONESEG_MODEL=str(two_folds_bundle.path), DRONESEG_LOG_URL=url) as server:
        server.wait_until_ready()
        network.cut()
        post(server, "predict", 1, **{"X-Request-ID": "one"})
        post(server, "batch_predict", 3, **{"X-Request-ID": "three"})
        assert read_metric(server, "droneseg_log_records_buffered") == 4
        server.process.terminate()
        time.sleep(1)
        network.up = True
        server.process.wait(20)
    records = read(url)
    assert sorted(r.request_id for r in records) == ["one", "three", "three", "three"]
    assert len({r.id for r in records}) == 4
    (one,) = (r for r in records if r.request_id == "one")
    assert (one.width, one.height, one.filename) == (40, 30, None)
    assert one.model_hash == two_folds_bundle.plan.content_hash
    assert one.fractions.keys() == {label.name for label in two_folds_bundle.plan.labels}
    assert sum(one.fractions.values()) == pytest.approx(1)
    assert {"brightness", "sharpness", "mean_R"} <= one.descriptors.keys()
    assert one.confidence
    assert one.latency_s > 0


def test_records_go_to_stdout_as_json_lines_with_names_where_configured(
    two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    settings = {"DRONESEG_LOG_URL": "-", "DRONESEG_LOG_FILENAMES": "true"}
    with serve(tmp_path, DRONESEG_MODEL=str(two_folds_bundle.path), **settings) as server:
        server.wait_until_ready()
        post(server, "predict", 1)
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    (found,) = (line["prediction"] for line in lines if "prediction" in line)
    assert found["filename"] == "secret0.png"
    assert not (tmp_path / "prediction-log").exists()


def read_metric(server: Server, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] == name)
