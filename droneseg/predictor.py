"""Predictor: photos in, label maps out; one batch holds tiles of many photos."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from droneseg.ahead import ahead
from droneseg.arrays import to_numpy
from droneseg.bundle import Bundle
from droneseg.engines import Engine, open_engine
from droneseg.engines.batch_size import fastest_batch_size
from droneseg.errors import InvalidOption
from droneseg.image_run import ImageRun, Pipeline, Wanted, Window
from droneseg.mirroring import MirroredNetwork
from droneseg.mode import FAST_TILE_STEP_SIZE, Mode, Precision
from droneseg.normalization import ImageArray
from droneseg.plan import InferencePlan, Member
from droneseg.scratch import Scratch
from droneseg.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class Trace:
    """A segmentation with the logits that it was decided by.

    Attributes:
        segmentation: as `Predictor.segment` gives it.
        logits: for each member of the bundle float32 [K, h, w] of the photo's non-zero crop, what
            nnUNetPredictor.predict_logits_from_preprocessed_data returns.
    """

    segmentation: Segmentation
    logits: tuple[NDArray[np.float32], ...]


class Predictor:
    """Segments photos with a bundle exactly as nnU-Net's own predictor does.

    Not safe for use by several threads at once: its buffers are used again.
    """

    def __init__(  # noqa: PLR0913 - each of nnU-Net's settings can be overridden
        self,
        bundle: Bundle | str | Path,
        *,
        mode: Mode = "exact",
        engine: str | Sequence[Engine] | None = None,
        precision: Precision | None = None,
        mirroring: bool | None = None,
        tile_step_size: float | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        on_batch: Callable[[int, int], None] | None = None,
    ):
        """Open the model.

        Args:
            bundle: a loaded bundle or its folder.
            mode: `exact` is nnU-Net's own settings; `fast` does not mirror, takes wider steps and
                integers of 16 bits where the processor has VNNI (bfloat16 where it has AMX), and
                gives other labels here and there. What follows overrides a mode's choice where it
                is not None.
            engine: the name of a runtime, such as `onnxruntime`, or an opened engine for each
                member of the bundle; the best runtime for this machine if None.
            precision: what the network computes in.
            mirroring: whether to average over the plan's mirror axes.
            tile_step_size: from window to window, of a patch; above 0 and at most 1.
            threads: for the network on a CPU; all cores that this process may use if None.
            batch_size: tiles in a batch, beside their mirror images; if None what suits the engine,
                on a GPU as measured.
            on_batch: is told how many photos were in a batch and how many tiles, after each.

        Raises:
            BundleNotFound, InvalidBundle, EngineMismatch, EngineNotInstalled: the model cannot
                serve, and why.
            InvalidOption: a step that leaves pixels out, or no threads.
        """
        if threads is not None and threads < 1:
            raise InvalidOption(f"threads is {threads}, but must be 1 or more")
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        members = self.plan.members
        if engine is None or isinstance(engine, str):
            engine = [
                open_engine(
                    self.bundle, index, engine, mode=mode, precision=precision, threads=threads
                )
                for index in range(len(members))
            ]
        self.engines = tuple(engine)
        self._on_batch = on_batch
        self.tile_step_size = _step(tile_step_size, mode, self.plan)
        if mirroring is None:
            mirroring = mode == "exact"
        self._scratches = tuple(Scratch(opened.xp) for opened in self.engines)
        self._networks = [
            MirroredNetwork(
                opened,
                member,
                self.plan.num_segmentation_heads,
                batch_size or self._fastest(opened, member),
                member.mirror_axes if mirroring else (),
            )
            for opened, member in zip(self.engines, members, strict=True)
        ]

    @property
    def plan(self) -> InferencePlan:
        """The plan of the bundle."""
        return self.bundle.plan

    def segment(
        self,
        images: Iterable[ImageArray],
        *,
        probabilities: bool = False,
        confidence: bool = False,
    ) -> list[Segmentation]:
        """Label maps of many photos, in order.

        Args:
            images: uint8, uint16 or float32 arrays [H, W, C] of any sizes, with the model's
                channels in their order: RGB for most.
            probabilities: keep them, a byte for each class and pixel.
            confidence: take the mean confidence.

        Raises:
            InvalidArray: an array of another dtype or shape.
        """
        return list(self.stream(images, probabilities=probabilities, confidence=confidence))

    def stream(
        self,
        images: Iterable[ImageArray],
        *,
        probabilities: bool = False,
        confidence: bool = False,
    ) -> Iterator[Segmentation]:
        """As `segment`, but each result comes as soon as it is complete.

        Photos are taken from `images` only as the batches need them, and one ahead, so a long
        series is never in memory at once. The one ahead is taken and prepared in a thread of its
        own, while the network runs.
        """
        waiting: deque[ImageRun] = deque()
        prepare = partial(ImageRun, self._pipeline(), Wanted(probabilities, confidence))

        def runs() -> Iterator[ImageRun]:
            for run in prepared:
                waiting.append(run)
                yield run

        # Whatever happens, no photo is taken any more after it.
        with closing(ahead(images, prepare)) as prepared:
            for _ in self._process(runs()):
                while waiting and waiting[0].finished:
                    yield waiting.popleft().segmentation

    def trace(self, image: ImageArray) -> Trace:
        """Segment one photo and keep its logits, for verification: all classes of all pixels."""
        kept: dict[int, NDArray[np.float32]] = {}

        def keep(member: int, rows: slice, logits: NDArray[np.float32]) -> None:
            if member not in kept:
                shape = (len(logits), *run.box_shape)
                kept[member] = np.empty(shape, np.float32)
            kept[member][:, rows] = to_numpy(logits)

        run = ImageRun(self._pipeline(), Wanted(), image, keep)
        for _ in self._process(iter([run])):
            pass
        return Trace(run.segmentation, tuple(kept[index] for index in range(len(kept))))

    def _fastest(self, engine: Engine, member: Member) -> int:
        tile = (len(member.channels), *member.patch_size)
        return fastest_batch_size(engine, tile, self.plan.num_segmentation_heads)

    def _pipeline(self) -> Pipeline:
        return Pipeline(
            self.plan,
            self.tile_step_size,
            tuple(engine.xp for engine in self.engines),
            tuple(network.images for network in self._networks),
            self._scratches,
        )

    def _process(self, runs: Iterator[ImageRun]) -> Iterator[None]:
        """Run all windows of all images, and yield after each batch."""
        batches: list[list[Window]] = [[] for _ in self._networks]
        for run in runs:
            for window in run.windows():
                batch = batches[window.member]
                batch.append(window)
                if len(batch) == self._networks[window.member].batch_size:
                    self._run(batch)
                    yield
        for batch in filter(None, batches):
            self._run(batch)
            yield

    def _run(self, batch: list[Window]) -> None:
        """Run windows of one member, and empty the list."""
        network = self._networks[batch[0].member]
        start = time.perf_counter()
        for window, tile in zip(batch, network.tiles, strict=False):
            window.sliding.cut(window.corner, tile)
        cut = time.perf_counter()
        sums = network.run(len(batch))
        ran = time.perf_counter()
        for window, logits in zip(batch, sums, strict=True):
            window.sliding.stitcher.add(window.corner, logits)
        stitched = time.perf_counter()
        spent = (cut - start, ran - cut, stitched - ran)
        for window in batch:
            window.run.times.add_tile(*(seconds / len(batch) for seconds in spent))
        if self._on_batch is not None:
            self._on_batch(len({window.run for window in batch}), len(batch))
        batch.clear()


def _step(tile_step_size: float | None, mode: Mode, plan: InferencePlan) -> float:
    if tile_step_size is None:
        return plan.tile_step_size if mode == "exact" else FAST_TILE_STEP_SIZE
    if not 0 < tile_step_size <= 1:
        raise InvalidOption(
            f"tile_step_size is {tile_step_size}, but must be above 0 and at most 1: windows that "
            "are further apart than a patch leave pixels out"
        )
    return tile_step_size
