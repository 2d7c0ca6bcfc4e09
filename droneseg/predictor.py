"""Predictor: photos in, label maps out; one batch holds tiles of many photos."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from droneseg.bundle import Bundle
from droneseg.engines import Engine, open_engine
from droneseg.plan import InferencePlan
from droneseg.preprocess import NormalizedImage, preprocess
from droneseg.segmentation import Segmentation
from droneseg.tiling import Stitcher, Tiling, gaussian_weights

LogitWriter = Callable[[slice, NDArray[np.float32]], None]


class Predictor:
    """Segments photos with a bundle exactly as nnU-Net's own predictor does.

    Not safe for use by several threads at once: its buffers are used again.
    """

    def __init__(
        self,
        bundle: Bundle | str | Path,
        *,
        engine: Engine | None = None,
        batch_size: int | None = None,
    ):
        """Open the model.

        Args:
            bundle: a loaded bundle or its folder.
            engine: the engine to run; the best one for this machine if None.
            batch_size: tiles in a batch; what suits the engine if None.

        Raises:
            BundleNotFound, InvalidBundle, EngineMismatch: the model cannot serve, and why.
        """
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        self.engine = engine or open_engine(self.bundle)
        plan = self.plan
        patch_pixels = plan.patch_size[0] * plan.patch_size[1]
        self.batch_size = batch_size or max(1, self.engine.batch_pixels // patch_pixels)
        self._network = _MirroredNetwork(self.engine, plan, self.batch_size)

    @property
    def plan(self) -> InferencePlan:
        """The plan of the bundle."""
        return self.bundle.plan

    def segment(self, images: Iterable[NDArray[np.uint8]]) -> list[Segmentation]:
        """Label maps of many photos, in order.

        Args:
            images: uint8 arrays [H, W, 3] in RGB, of any sizes.

        Raises:
            InvalidArray: an array of another dtype or shape.
        """
        return list(self.stream(images))

    def stream(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Segmentation]:
        """As `segment`, but each result comes as soon as it is complete.

        Photos are taken from `images` only as the batches need them, so a long series is never
        in memory at once.
        """
        plan = self.plan
        waiting: list[tuple[_ImageRun, NDArray[np.uint8]]] = []

        def runs() -> Iterator[_ImageRun]:
            for image in images:
                normalized = preprocess(image, len(plan.channels))
                labels = np.zeros(normalized.image_shape, np.uint8)
                run = _ImageRun(normalized, plan, _label_writer(labels[normalized.box.slices]))
                waiting.append((run, labels))
                yield run

        for _ in self._process(runs()):
            while waiting and waiting[0][0].finished:
                yield Segmentation(waiting.pop(0)[1], plan.labels)

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The averaged logits of one photo's non-zero crop, float32 [K, h, w].

        What nnUNetPredictor.predict_logits_from_preprocessed_data returns; for verification, as it
        holds all classes of all pixels at once.
        """
        normalized = preprocess(image, len(self.plan.channels))
        result = np.empty((self.plan.num_classes, *normalized.box.shape), np.float32)

        def write(rows: slice, logits: NDArray[np.float32]) -> None:
            result[:, rows] = logits

        for _ in self._process(iter([_ImageRun(normalized, self.plan, write)])):
            pass
        return result

    def _process(self, runs: Iterator["_ImageRun"]) -> Iterator[None]:
        """Run all windows of all images, and yield after each batch."""
        windows = ((run, corner) for run in runs for corner in run.tiling)
        while batch := list(itertools.islice(windows, self.batch_size)):
            tiles = self._network.tiles[: len(batch)]
            for (run, corner), tile in zip(batch, tiles, strict=True):
                run.tiling.cut(run.image, corner, tile)
            logits = self._network.run(len(batch))
            for (run, corner), window in zip(batch, logits, strict=True):
                run.stitcher.add(corner, window)
            yield


class _ImageRun:
    """One image on its way: cut into windows, put together again, handed to `write`."""

    def __init__(self, image: NormalizedImage, plan: InferencePlan, write: LogitWriter):
        self.image = image
        self.tiling = Tiling.of(image.box.shape, plan.patch_size, plan.tile_step_size)
        weights = gaussian_weights(plan.patch_size, plan.gaussian_sigma_scale)
        self.stitcher = Stitcher(self.tiling, weights, plan.num_classes, self._crop)
        self._write = write

    @property
    def finished(self) -> bool:
        return self.stitcher.finished

    def _crop(self, canvas_row: int, logits: NDArray[np.float32]) -> None:
        """Take the padding off some rows of the canvas and write what is left."""
        height, width = self.image.box.shape
        top, left = self.tiling.padding
        first = max(canvas_row - top, 0)
        last = min(canvas_row - top + logits.shape[1], height)
        if first < last:
            rows = slice(first - canvas_row + top, last - canvas_row + top)
            self._write(slice(first, last), logits[:, rows, left : left + width])


class _MirroredNetwork:
    """The network averaged over mirrored tiles: _internal_maybe_mirror_and_predict."""

    def __init__(self, engine: Engine, plan: InferencePlan, batch_size: int):
        self._engine = engine
        # The spatial axes 0 and 1 of the plan are the axes 2 and 3 of a batch.
        axes = [axis + 2 for axis in plan.mirror_axes]
        self._mirrorings = [
            combination
            for length in range(1, len(axes) + 1)
            for combination in itertools.combinations(axes, length)
        ]
        self.tiles = np.empty((batch_size, len(plan.channels), *plan.patch_size), np.float32)
        self._mirrored = np.empty_like(self.tiles)
        self._sums = np.empty((batch_size, plan.num_classes, *plan.patch_size), np.float32)
        self._logits = np.empty_like(self._sums)

    def run(self, count: int) -> NDArray[np.float32]:
        """The logits of the first `count` tiles, float32 [count, K, H, W]; used again next time."""
        tiles, mirrored = self.tiles[:count], self._mirrored[:count]
        sums, logits = self._sums[:count], self._logits[:count]
        self._engine.run(tiles, sums)
        for axes in self._mirrorings:
            np.copyto(mirrored, np.flip(tiles, axes))
            self._engine.run(mirrored, logits)
            sums += np.flip(logits, axes)
        sums /= len(self._mirrorings) + 1
        return sums


def _label_writer(labels: NDArray[np.uint8]) -> LogitWriter:
    def write(rows: slice, logits: NDArray[np.float32]) -> None:
        labels[rows] = argmax(logits)

    return write


def argmax(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The first class with the largest logit, uint8 [H, W] of float32 [K, H, W].

    np.argmax over the first axis gives the same, several times slower.
    """
    best = logits[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    for class_id, plane in enumerate(logits[1:], start=1):
        np.copyto(labels, class_id, where=plane > best)
        np.maximum(best, plane, out=best)
    return labels
