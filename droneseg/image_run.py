"""ImageRun: one image on its way through every member to its labels."""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from droneseg.ensemble import ProbabilityMean
from droneseg.label_manager import LabelManager
from droneseg.normalization import ImageArray
from droneseg.outcome import Outcome
from droneseg.plan import InferencePlan
from droneseg.preprocess import NormalizedImage, preprocess
from droneseg.scratch import Scratch
from droneseg.segmentation import Segmentation
from droneseg.stage_times import StageTimes
from droneseg.tiling import Stitcher, Tiling, gaussian_weights

LogitWriter = Callable[[int, slice, NDArray[np.float32]], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted beside the labels; see `Outcome`."""

    probabilities: bool = False
    confidence: bool = False


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What all images share.

    Attributes:
        libraries: of the arrays, for each member.
        images: how many mirror images each member adds up.
        scratches: memory for each member's sums.
    """

    plan: InferencePlan
    tile_step_size: float
    libraries: tuple[ModuleType, ...]
    images: tuple[int, ...]
    scratches: tuple[Scratch, ...]


class ImageRun:
    """One image on its way through every member to its labels.

    Attributes:
        times: how long its stages took so far.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        wanted: Wanted,
        image: ImageArray,
        tap: LogitWriter | None = None,
    ):
        plan = pipeline.plan
        start = time.perf_counter()
        normalized = [
            preprocess(image, member.channels).on(xp)
            for member, xp in zip(plan.members, pipeline.libraries, strict=True)
        ]
        self.times = StageTimes(preprocess_s=time.perf_counter() - start)
        box = normalized[0].box
        self.box_shape = box.shape
        self._outcome = Outcome(
            plan,
            normalized[0].image_shape,
            box,
            probabilities=wanted.probabilities,
            confidence=wanted.confidence,
        )
        write = _writer(plan, self._outcome)
        if tap is not None:
            write = _both(tap, write)
        self._sliding = [
            _SlidingWindow(image, index, pipeline, partial(write, index))
            for index, image in enumerate(normalized)
        ]

    @property
    def finished(self) -> bool:
        """Whether every window has been added and every row decided."""
        return all(sliding.stitcher.finished for sliding in self._sliding)

    @property
    def segmentation(self) -> Segmentation:
        """The result, once it is finished."""
        return replace(self._outcome.segmentation, times=self.times)

    def windows(self) -> Iterator["Window"]:
        """The windows of all members, from top to bottom, so that members go down together."""
        return heapq.merge(
            *(sliding.windows(self) for sliding in self._sliding),
            key=lambda window: window.corner[0],
        )


class _SlidingWindow:
    """One image cut into windows for one member, put together again, handed to `write`."""

    def __init__(
        self,
        image: NormalizedImage,
        member: int,
        pipeline: Pipeline,
        write: Callable[[slice, NDArray[np.float32]], None],
    ):
        self._image = image
        self.member = member
        self._write = write
        plan, xp = pipeline.plan, pipeline.libraries[member]
        patch_size = plan.members[member].patch_size
        self.tiling = Tiling.of(image.box.shape, patch_size, pipeline.tile_step_size)
        weights = xp.asarray(gaussian_weights(patch_size, plan.gaussian_sigma_scale))
        self.stitcher = Stitcher(
            self.tiling,
            weights,
            plan.num_segmentation_heads,
            self._crop,
            images=pipeline.images[member],
            xp=xp,
            scratch=pipeline.scratches[member],
        )

    def windows(self, run: ImageRun) -> Iterator["Window"]:
        return (Window(run, self, corner) for corner in self.tiling)

    def cut(self, corner: tuple[int, int], out: NDArray[np.float32]) -> None:
        self.tiling.cut(self._image, corner, out)

    def _crop(self, canvas_row: int, logits: NDArray[np.float32]) -> None:
        """Take the padding off some rows of the canvas and write what is left."""
        height, width = self._image.box.shape
        top, left = self.tiling.padding
        first = max(canvas_row - top, 0)
        last = min(canvas_row - top + logits.shape[1], height)
        if first < last:
            rows = slice(first - canvas_row + top, last - canvas_row + top)
            self._write(slice(first, last), logits[:, rows, left : left + width])


@dataclass(frozen=True, slots=True)
class Window:
    """One window of one image for one member; its corner is on the canvas."""

    run: ImageRun
    sliding: _SlidingWindow
    corner: tuple[int, int]

    @property
    def member(self) -> int:
        """Index of the member."""
        return self.sliding.member


def _writer(plan: InferencePlan, outcome: Outcome) -> LogitWriter:
    """Where a member's logits go: straight to the outcome, or into the mean over the members."""
    if len(plan.members) > 1:
        label_manager = LabelManager(plan.regions)
        return ProbabilityMean(label_manager, len(plan.members), outcome.write_probabilities).add

    def write(_: int, rows: slice, logits: NDArray[np.float32]) -> None:
        outcome.write_logits(rows, logits)

    return write


def _both(first: LogitWriter, second: LogitWriter) -> LogitWriter:
    def write(member: int, rows: slice, logits: NDArray[np.float32]) -> None:
        first(member, rows, logits)
        second(member, rows, logits)

    return write
