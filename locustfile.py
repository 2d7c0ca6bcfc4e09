"""Load on a running service: drawn photos of mixed sizes through every public endpoint.

locust --headless --users 8 --run-time 60s --host http://localhost:3000
"""

import base64
import random

from locust import HttpUser, between, task

from droneseg.scene import draw_scene
from droneseg.segmentation import encode_png

# Height and width in px; most photos are small, as in real use.
SIZES = ((256, 256), (384, 512), (512, 512), (512, 512), (600, 800))
PHOTOS = [encode_png(draw_scene(*size, seed=seed)) for seed, size in enumerate(SIZES)]
SHAPES = [list(size) for size in SIZES]


class Client(HttpUser):
    """Posts a photo, looks whether the answer is for it, and waits a little."""

    wait_time = between(0.1, 1.0)

    @task(3)
    def predict(self) -> None:
        """POST /predict."""
        index = random.randrange(len(PHOTOS))
        files = {"data": ("photo.png", PHOTOS[index], "image/png")}
        self._post(index, "/predict", files=files)

    @task(1)
    def predict_base64(self) -> None:
        """POST /predict_base64."""
        index = random.randrange(len(PHOTOS))
        image_b64 = base64.b64encode(PHOTOS[index]).decode()
        self._post(index, "/predict_base64", json={"image_b64": image_b64})

    def _post(self, index: int, path: str, **content: object) -> None:
        with self.client.post(path, catch_response=True, **content) as answer:
            if answer.status_code != 200:
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")
            elif answer.json()["prediction_shape"] != SHAPES[index]:
                answer.failure("the answer is for another photo")
