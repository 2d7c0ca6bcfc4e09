"""Segment photos with a bundle whose network a Triton server runs.

python client.py BUNDLE PHOTO... [--url localhost:8000], with `pip install droneseg
tritonclient[http]`. nnU-Net's preprocessing, sliding window, mirroring and label decision run
here; tiles go to Triton and logits come back.
"""

import argparse
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from numpy.typing import NDArray

from droneseg import Predictor
from droneseg.bundle import Bundle
from droneseg.engines.probes import check_probes
from droneseg.images import decode_image
from droneseg.mode import Precision

# As in config.pbtxt.
MAX_BATCH_SIZE = 8


class TritonEngine:
    """A network on a Triton server, in the place of a local runtime."""

    name = "triton"
    precision: Precision = "fp32"
    batch_pixels = 0  # The predictor below says how many tiles a batch has.
    xp = np

    def __init__(self, url: str, model: str):
        """Connect to `model` on the server at `url`, HOST:PORT."""
        self._client = triton.InferenceServerClient(url, network_timeout=600.0)
        self._model = model

    def run(self, tiles: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write the logits [N, K, H, W] of the tiles [N, C, H, W] into `out`."""
        sent = triton.InferInput("tiles", list(tiles.shape), "FP32")
        sent.set_data_from_numpy(tiles)
        answer = self._client.infer(self._model, [sent])
        out[...] = answer.as_numpy("logits")


def predictor(bundle: Bundle, url: str) -> Predictor:
    """A Predictor whose networks, one for each member of the bundle, are on the server.

    Raises:
        EngineMismatch: the server's logits are not those that were recorded at the export.
    """
    models = [Path(member.model).stem for member in bundle.plan.members]
    name = bundle.plan.name
    engines = [TritonEngine(url, model.replace("model", name, 1)) for model in models]
    for index, engine in enumerate(engines):
        check_probes(engine, bundle.probes(index))
    return Predictor(bundle, engine=engines, batch_size=MAX_BATCH_SIZE)


def main() -> None:
    """Write NAME_labels.png beside each photo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--url", default="localhost:8000")
    options = parser.parse_args()
    bundle = Bundle.load(options.bundle)
    channels = len(bundle.plan.channel_names)
    photos = (decode_image(path.read_bytes(), channels=channels) for path in options.photos)
    segmentations = predictor(bundle, options.url).stream(photos)
    for path, segmentation in zip(options.photos, segmentations, strict=True):
        path.with_name(f"{path.stem}_labels.png").write_bytes(segmentation.label_png())
        print(path, segmentation.classes_found)


if __name__ == "__main__":
    main()
