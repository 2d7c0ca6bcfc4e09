"""Load on a running service: drawn photos through every public endpoint, masks checked.

make load
locust --headless --users 8 --run-time 60s --shape spike --host http://localhost:3000

The model of DRONESEG_MODEL must be here, too: it says which masks are right.
"""

import base64
import io
import os
import random
from collections.abc import Callable
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np
from locust import HttpUser, LoadTestShape, between, events, task
from locust.argument_parser import LocustArgumentParser
from locust.clients import ResponseContextManager
from locust.env import Environment
from numpy.typing import NDArray
from PIL import Image

from droneseg.bundle import DEFAULT_MODEL, find_bundle
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png

# Height and width in px; most photos are small, as in real use.
SIZES = ((200, 300), (256, 256), (256, 256), (384, 512), (512, 512))
SCENES = [draw_scene(*size, seed=seed) for seed, size in enumerate(SIZES)]
PHOTOS = [encode_png(scene) for scene in SCENES]
BATCH = 3
# Another engine, or another processor, decides a near-tie here and there otherwise.
MIN_AGREEMENT = 0.999
KEY = os.environ.get("DRONESEG_API_KEY")
LABELS = {"render": "labels"}

answers: list[NDArray[np.uint8]] = []


@events.init_command_line_parser.add_listener
def _arguments(parser: LocustArgumentParser) -> None:
    parser.add_argument(
        "--shape",
        choices=["steady", "ramp", "spike"],
        default="steady",
        help="all users from the beginning, one after the other, or in the middle fifth alone",
    )


@events.init.add_listener
def _segment(**_: Any) -> None:
    """Find out which masks are right, before anything is asked."""
    bundle = find_bundle(Path(os.environ.get("DRONESEG_MODEL", DEFAULT_MODEL)), Path.cwd())
    answers[:] = [segmentation.labels for segmentation in Predictor(bundle).segment(SCENES)]


@events.quitting.add_listener
def _fail_without_requests(environment: Environment, **_: Any) -> None:
    """What nobody asked for has not been shown to work."""
    if not environment.stats.total.num_requests:
        environment.process_exit_code = 1


class Shape(LoadTestShape):
    """How many users there are at which time."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many may come a second; None at the end."""
        assert self.runner is not None  # noqa: S101 - locust sets it before it asks
        options = self.runner.environment.parsed_options
        users, run_time_s = options.num_users or 8, options.run_time or 60
        share = self.get_run_time() / run_time_s
        if share >= 1:
            return None
        match options.shape:
            case "ramp":
                users = 1 + int(share * users)
            case "spike" if not 0.4 <= share < 0.6:
                users = max(1, users // 4)
        return users, max(users, 1)


class Client(HttpUser):
    """Sends photos, looks whether the masks are right, and waits a little."""

    wait_time = between(0.1, 1.0)

    def on_start(self) -> None:
        """Show the key, if there is one."""
        if KEY:
            self.client.headers["X-API-Key"] = KEY

    @task(10)
    def predict(self) -> None:
        """POST /predict, as a form and as a body."""
        index = choose()
        form: dict[str, Any] = {"files": {"data": ("photo.png", PHOTOS[index], "image/png")}}
        body: dict[str, Any] = {"data": PHOTOS[index], "headers": {"Content-Type": "image/png"}}
        content = random.choice([form, body])
        self.ask("/predict", lambda answer: mask_is_right(answer.json(), index), **content)

    @task(3)
    def predict_image_bytes(self) -> None:
        """POST /predict_image_bytes, which answers with the mask itself."""
        index = choose()
        headers = {"Content-Type": "image/png", "Accept": "image/png"}
        self.ask(
            "/predict_image_bytes",
            lambda answer: labels_are_right(answer.content, index),
            data=PHOTOS[index],
            headers=headers,
        )

    @task(5)
    def predict_base64(self) -> None:
        """POST /predict_base64."""
        index = choose()
        image_b64 = base64.b64encode(PHOTOS[index]).decode()
        check = lambda answer: mask_is_right(answer.json(), index)  # noqa: E731
        self.ask("/predict_base64", check, json={"image_b64": image_b64})

    @task(1)
    def batch_predict(self) -> None:
        """POST /batch_predict."""
        indices = [choose() for _ in range(BATCH)]
        files = [("data", ("photo.png", PHOTOS[index], "image/png")) for index in indices]

        def check(answer: ResponseContextManager) -> bool:
            return all(starmap(mask_is_right, zip(answer.json(), indices, strict=True)))

        self.ask("/batch_predict", check, files=files)

    @task(1)
    def predict_more(self) -> None:
        """POST /predict with all that costs something besides the mask."""
        index = choose()
        options = {"polygons": "true", "min_area_px": 100, "rle": "true", "confidence": "true"}

        def check(answer: ResponseContextManager) -> bool:
            found = answer.json()
            return bool(found["polygons"]) and mask_is_right(found, index)

        self.ask("/predict", check, params=options, files={"data": PHOTOS[index]})

    @task(2)
    def look(self) -> None:
        """GET what people and platforms look at."""
        path = random.choice(["/", "/readyz", "/livez", "/model_info", "/docs.json", "/metrics"])
        self.client.get(path)

    def ask(
        self,
        path: str,
        is_right: Callable[[ResponseContextManager], bool],
        params: dict[str, object] | None = None,
        **content: Any,
    ) -> None:
        """Post, and count a wrong answer as a failure."""
        parameters = LABELS | (params or {})
        with self.client.post(
            path, params=parameters, name=path, catch_response=True, **content
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")
            elif not is_right(answer):
                answer.failure("the mask is not that of the photo")


def choose() -> int:
    """Which photo."""
    return random.randrange(len(PHOTOS))


def mask_is_right(prediction: dict[str, Any], index: int) -> bool:
    """Whether the mask in an answer is what the model says of the photo."""
    return labels_are_right(base64.b64decode(prediction["segmentation_mask"]), index)


def labels_are_right(png: bytes, index: int) -> bool:
    """The same of the mask alone."""
    labels = np.asarray(Image.open(io.BytesIO(png)))
    known = answers[index]
    return labels.shape == known.shape and float(np.mean(labels == known)) >= MIN_AGREEMENT
