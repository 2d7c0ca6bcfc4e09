"""Metrics of several processes add up; strangers cannot add labels; Server-Timing, log lines."""

import json
import math
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from droneseg.bundle import Bundle
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png
from tests.service.server import Server, serve, serve_on_terminal

pytestmark = pytest.mark.service

WORKERS = 3
STAGES = {"queue", "decode", "preprocess", "network", "stitch", "encode"}
PHOTO = encode_png(draw_scene(30, 40, seed=0))
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def workers(two_folds_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ready server whose front has several workers."""
    with serve(
        tmp_path_factory.mktemp("workers"),
        DRONESEG_MODEL=str(two_folds_bundle.path),
        DRONESEG_BATCH_SIZE="8",
        BENTOML_CONFIG_OPTIONS=f"services.DroneSeg.workers={WORKERS}",
    ) as server:
        server.wait_until_ready()
        server.wait_until(lambda: server.log.read_text().count("ready: model") == WORKERS)
        yield server


def scrape(server: Server) -> Samples:
    text = httpx.get(f"{server.url}/metrics").raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.name.startswith("droneseg_")
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    return sum(
        value
        for (found, having), value in samples.items()
        if found == name and labels.items() <= dict(having).items()
    )


def test_what_all_processes_count_adds_up_to_what_was_sent(
    workers: Server, two_folds_bundle: Bundle
) -> None:
    before = scrape(workers)
    with ThreadPoolExecutor(8) as pool, httpx.Client(base_url=workers.url, timeout=60) as client:

        def send(index: int) -> int:
            match index % 4:
                case 0:
                    answer = client.post("/predict/", files={"data": PHOTO})
                case 1:
                    headers = {"Content-Type": "image/png", "Accept": "image/png"}
                    answer = client.post("/predict_image_bytes", content=PHOTO, headers=headers)
                case 2:
                    files = [("data", PHOTO), ("data", PHOTO), ("data", b"no image")]
                    answer = client.post("/batch_predict?mode=fast", files=files)
                case _:
                    answer = client.post("/predict", files={"data": b"no image"})
            return answer.status_code

        statuses = list(pool.map(send, range(80)))
    assert sorted(set(statuses)) == [200, 415]
    workers.wait_until(lambda: total(scrape(workers), "droneseg_queue_photos") == 0)
    after = scrape(workers)

    def grown(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    assert grown("droneseg_requests_total") == 80
    assert grown("droneseg_requests_total", endpoint="/predict", status="200") == 20
    wrong = {"endpoint": "/predict", "status": "415", "code": "unsupported_image"}
    assert grown("droneseg_requests_total", **wrong) == 20
    assert grown("droneseg_request_duration_seconds_count") == 80
    # Of each batch one entry, and the requests.
    assert grown("droneseg_rejections_total", code="unsupported_image") == 20 + 20
    assert grown("droneseg_photos_total", mode="exact") == 40
    assert grown("droneseg_photos_total", mode="fast") == 40
    for stage in STAGES:
        assert grown("droneseg_stage_duration_seconds_count", stage=stage) == 80
    assert grown("droneseg_photo_pixels_sum") == 80 * 30 * 40
    # Each is smaller than a tile.
    assert grown("droneseg_batch_photos_sum") == grown("droneseg_batch_tiles_sum") == 80
    tile_px = math.prod(two_folds_bundle.plan.members[0].patch_size)
    assert grown("droneseg_batch_pixels_sum") == 80 * tile_px
    assert grown("droneseg_batch_photos_count") < 80
    for name in ("background", "roof", "road", "tree"):
        assert grown("droneseg_class_fraction_count", **{"class": name}) == 80
    assert grown("droneseg_class_fraction_sum") == pytest.approx(80)


def test_the_model_is_shown_once_for_each_mode(workers: Server, two_folds_bundle: Bundle) -> None:
    shown = [dict(labels) for (name, labels) in scrape(workers) if name == "droneseg_model_info"]
    assert {labels["mode"] for labels in shown} == {"exact", "fast"}
    assert len(shown) == 2
    info = httpx.get(f"{workers.url}/model_info").json()
    for labels in shown:
        used = info["modes"][labels["mode"]]
        assert (labels["engine"], labels["precision"]) == (used["engine"], used["precision"])
        assert labels["hash"] == two_folds_bundle.plan.content_hash


def test_strangers_cannot_add_labels(workers: Server) -> None:
    httpx.get(f"{workers.url}/nowhere")
    httpx.get(f"{workers.url}/page/nothing.js")
    before = len(httpx.get(f"{workers.url}/metrics").text)
    with httpx.Client(base_url=workers.url) as client:
        for index in range(50):
            for path in (f"nowhere/{index}", f"page/{index}.js", f"predict{index}", f"%00{index}"):
                assert client.get(f"/{path}").status_code == 404
            client.request(f"VERB{index}", "/predict")
    text = httpx.get(f"{workers.url}/metrics").text
    assert len(text) < before + 2000
    assert "nowhere" not in text
    assert total(scrape(workers), "droneseg_requests_total", endpoint="other") > 100


def test_all_documented_routes_have_labels(workers: Server) -> None:
    paths = set(httpx.get(f"{workers.url}/docs.json").json()["paths"])
    for path in paths - {"/livez", "/readyz", "/healthz", "/metrics"}:
        httpx.get(f"{workers.url}{path}", timeout=60)
        assert total(scrape(workers), "droneseg_requests_total", endpoint=path), path


def test_what_a_killed_worker_held_is_forgotten(two_folds_bundle: Bundle, tmp_path: Path) -> None:
    """A large photo is in its queue; BentoML starts another worker."""
    with serve(tmp_path, DRONESEG_MODEL=str(two_folds_bundle.path)) as server:
        server.wait_until_ready()
        large = encode_png(draw_scene(1500, 1500, seed=0))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(
                httpx.post, f"{server.url}/predict", files={"data": large}, timeout=60
            )
            server.wait_until(lambda: total(scrape(server), "droneseg_queue_photos") == 1)
            (front,) = (
                child
                for child in psutil.Process(server.process.pid).children()
                if "DroneSegRunner" not in child.cmdline() and "--fd" in child.cmdline()
            )
            os.kill(front.pid, signal.SIGKILL)
            assert isinstance(waiting.exception(), httpx.TransportError)
        server.wait_until_ready()
        assert total(scrape(server), "droneseg_queue_photos") == 0


def test_server_timing_has_every_stage(workers: Server) -> None:
    answer = httpx.post(f"{workers.url}/predict", files={"data": PHOTO}, timeout=60)
    entries = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    assert entries.keys() == {*STAGES, "total"}
    milliseconds = {name: float(value) for name, value in entries.items()}
    assert milliseconds["network"] > 0
    assert milliseconds["total"] >= max(milliseconds.values())
    refused = httpx.post(f"{workers.url}/predict", files={"data": b""})
    assert refused.headers["server-timing"].startswith("total;dur=")


def test_every_log_line_is_json_and_has_the_id_of_its_request(workers: Server) -> None:
    given = {"X-Request-ID": "from-a-client"}
    answer = httpx.post(f"{workers.url}/predict", files={"data": b"x"}, headers=given)
    assert answer.json()["request_id"] == "from-a-client"
    lines = [json.loads(line) for line in workers.log.read_text().splitlines()]
    (line,) = (line for line in lines if line.get("request_id") == "from-a-client")
    assert (line["severity"], line["path"], line["status"]) == ("INFO", "/predict", 415)
    assert line["duration_ms"] > 0
    assert len(line["trace_id"]) == 32
    assert all({"time", "severity", "message", "logger"} <= line.keys() for line in lines)


def test_on_a_terminal_lines_are_text(two_folds_bundle: Bundle, tmp_path: Path) -> None:
    with serve_on_terminal(tmp_path, DRONESEG_MODEL=str(two_folds_bundle.path)) as server:
        server.wait_until_ready()
        httpx.get(f"{server.url}/docs", headers={"X-Request-ID": "mine"})
        server.wait_until(lambda: "[INFO] [mine] GET /docs 200" in server.log.read_text())
        assert '"severity"' not in server.log.read_text()
