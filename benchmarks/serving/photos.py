"""The photos of a load, and the labels that are expected for them."""

from pathlib import Path

import numpy as np

from benchmarks.photos import jpeg
from benchmarks.serving.offline import Offline
from droneseg.images import decode_image
from droneseg.mode import Mode
from droneseg.scene import draw_scene

PHOTOS = 8
SIDE = 512


def write_photos(folder: Path) -> None:
    """Draw them as N.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(PHOTOS):
        (folder / f"{index}.jpg").write_bytes(jpeg(draw_scene(SIDE, SIDE, seed=index)))


def write_labels(folder: Path, offline: Offline, mode: Mode) -> Path:
    """Segment them without a server; returns a folder of N.jpg and N.npy."""
    known = folder / mode
    write_photos(known)
    photos = [decode_image((known / f"{index}.jpg").read_bytes()) for index in range(PHOTOS)]
    for index, labels in enumerate(offline.labels(mode, photos)):
        np.save(known / f"{index}.npy", labels)
    return known
