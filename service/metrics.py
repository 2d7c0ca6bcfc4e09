"""What the service counts and measures, for Prometheus; docs/monitoring.md explains each.

All processes write into one folder that BentoML gives them, and GET /metrics adds them up: the
front's workers observe photos once their answers have gone out, the runner observes batches.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from service.errors import CODES
from service.plan import plan
from service.sighting import Sighting

# From what decoding a small photo takes to the default deadline: 0.3 ms to 2 ms for the stages of a
# 256 x 256 photo, 20 ms a photo for the front as a whole, 0.05 to 10 s for the network of 0.1 to 3
# megapixels, 50 s for 12 megapixels on two cores.
SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)
PIXELS = tuple(float(2**power) for power in range(14, 28))
TILES = tuple(float(2**power) for power in range(11))
PHOTOS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
TILE_PIXELS = prod(plan.members[0].patch_size)
FRACTIONS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

REQUESTS = Counter(
    "droneseg_requests", "Requests, by what they were answered.", ["endpoint", "status", "code"]
)
REQUEST_SECONDS = Histogram(
    "droneseg_request_duration_seconds",
    "From a request's headers to the end of its answer.",
    ["endpoint"],
    buckets=SECONDS,
)
STAGE_SECONDS = Histogram(
    "droneseg_stage_duration_seconds",
    "What each stage of a photo took; queue is its wait in the runner for those before.",
    ["stage"],
    buckets=SECONDS,
)
REJECTIONS = Counter(
    "droneseg_rejections",
    "Errors on prediction routes, of whole requests and of photos of /batch_predict.",
    ["code"],
)
SEGMENTED = Counter("droneseg_photos", "Photos segmented and answered.", ["mode"])
PHOTO_PIXELS = Histogram("droneseg_photo_pixels", "Pixels of a photo.", buckets=PIXELS)
CLASS_FRACTION = Histogram(
    "droneseg_class_fraction",
    "Share of a photo that was predicted as a class.",
    ["class"],
    buckets=FRACTIONS,
)
QUEUE_PHOTOS = Gauge(
    "droneseg_queue_photos", "Photos that wait or are worked on.", multiprocess_mode="livesum"
)
BATCH_PHOTOS = Histogram(
    "droneseg_batch_photos", "Photos with tiles in a batch of the network.", buckets=PHOTOS
)
BATCH_PIXELS = Histogram("droneseg_batch_pixels", "Pixels of the tiles of a batch.", buckets=PIXELS)
BATCH_TILES = Histogram("droneseg_batch_tiles", "Tiles of a batch.", buckets=TILES)
# prometheus_client's Info does not work with several processes.
MODEL_INFO = Gauge(
    "droneseg_model_info",
    "What segments in each mode, as labels; always 1.",
    ["model", "hash", "mode", "engine", "precision"],
    multiprocess_mode="livemax",
)
LOG_WRITTEN = Counter("droneseg_log_records_written", "Prediction records written.")
LOG_RETRIED = Counter(
    "droneseg_log_records_retried", "Prediction records whose batch has to be written again."
)
LOG_DROPPED = Counter(
    "droneseg_log_records_dropped", "Prediction records that nobody will read: the store was down."
)
LOG_BUFFERED = Gauge(
    "droneseg_log_records_buffered",
    "Prediction records that are not written yet.",
    multiprocess_mode="livesum",
)
DRIFT_SHARE = Gauge(
    "droneseg_drift_share",
    "Share of columns that had drifted by the newest report.",
    multiprocess_mode="livemostrecent",
)
DRIFT_REPORT_TIME = Gauge(
    "droneseg_drift_report_timestamp_seconds",
    "When the newest drift report was made; 0 if there is none.",
    multiprocess_mode="livemostrecent",
)

STAGES = ("queue", "decode", "preprocess", "network", "stitch", "encode")
# What has not happened yet is 0: a rate would miss the first time otherwise.
for stage in STAGES:
    STAGE_SECONDS.labels(stage)
for code in sorted(set(CODES.values())):
    REJECTIONS.labels(code)
for label in plan.labels:
    CLASS_FRACTION.labels(label.name)


def observe_request(endpoint: str, status: int, code: str, seconds: float) -> None:
    """Take a request into account whose answer has gone out; `code` is empty if it succeeded."""
    REQUESTS.labels(endpoint, status, code).inc()
    REQUEST_SECONDS.labels(endpoint).observe(seconds)


def observe_photo(photo: Sighting) -> None:
    """Take a photo into account whose answer has gone out."""
    SEGMENTED.labels(photo.mode).inc()
    PHOTO_PIXELS.observe(photo.height * photo.width)
    for name, seconds in photo.stages.items():
        STAGE_SECONDS.labels(name).observe(seconds)
    for name, fraction in photo.fractions.items():
        CLASS_FRACTION.labels(name).observe(fraction)


def observe_batch(photos: int, tiles: int) -> None:
    """Take a batch into account, for which the runner has asked the network."""
    BATCH_PHOTOS.observe(photos)
    BATCH_PIXELS.observe(tiles * TILE_PIXELS)
    BATCH_TILES.observe(tiles)


def show_model(modes: Mapping[str, Mapping[str, Any]]) -> None:
    """Say which engine runs each mode, in which precision."""
    for mode, used in modes.items():
        labels = (plan.name, plan.content_hash, mode, used["engine"], used["precision"])
        MODEL_INFO.labels(*labels).set(1)
