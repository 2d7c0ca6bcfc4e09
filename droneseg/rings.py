"""Rings along the borders of a label map: closed lines with their region on the right.

All at once in NumPy, as label maps can have millions of pixel edges at borders. The picture is
looked at in four quarter turns, so that one rule, for the upper edges of pixels, does for all.
"""

from array import array
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
# Around the photo; labels are bytes.
OUTSIDE = -1


@dataclass(frozen=True)
class Rings:
    """Outlines of regions of connected pixels, each followed by its holes.

    Attributes:
        points: int64 [N, 2], x and y of the corners, ring after ring. Lines end at every corner
            where other borders meet them, so that neighbours have the same points.
        starts: int64 [R + 1], where in `points` each ring begins; the last one is N.
        labels: int16 [R], of the region.
        areas_px: int64 [R], what the ring encloses; negative for holes.
        outlines: int64 [R], the outline that a ring belongs to, itself if it is one.
    """

    points: Indices
    starts: Indices
    labels: NDArray[np.int16]
    areas_px: Indices
    outlines: Indices


def trace_rings(labels: NDArray[np.uint8]) -> Rings:
    """The rings of all regions of pixels that are connected over their edges, not their corners.

    No ring touches itself: where a region meets itself at a corner, a hole begins.
    """
    padded = np.pad(labels.astype(np.int16), 1, constant_values=OUTSIDE)
    views = [_View(padded, turns) for turns in range(4)]
    counts = [len(view.first) for view in views]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    successors = _successors(views, offsets)
    order, starts = _walk(successors)
    _part_at_saddles(views, offsets, successors, _rings_of(order, starts))
    order, starts = _walk(successors)
    return _assemble(views, offsets, order, starts)


class _View:
    """The padded picture after some quarter turns, with the runs of upper edges at borders.

    A run goes to the right, below it the region. It ends where the border turns or others meet it.
    Pixels are counted row by row.
    """

    def __init__(self, padded: NDArray[np.int16], turns: int):
        turned = np.ascontiguousarray(np.rot90(padded, turns))
        self.turns = turns
        self.height, self.width = turned.shape
        self.pixels = turned.reshape(-1)
        below, above = self.pixels[self.width :], self.pixels[: -self.width]
        self.edges = np.flatnonzero((below != above) & (below != OUTSIDE)) + self.width
        self.first = self.edges[~self._continues(-1)]
        self.last = self.edges[~self._continues(1)]

    def _continues(self, step: int) -> NDArray[np.bool_]:
        """Whether an edge's neighbour is of the same run."""
        pixels, edges, above = self.pixels, self.edges, self.edges - self.width
        same: NDArray[np.bool_] = pixels[edges] == pixels[edges + step]
        same &= pixels[above] == pixels[above + step]
        return same

    def next(self, index: Indices) -> Indices:
        """The same pixels, counted in the view of one turn more."""
        row, column = np.divmod(index, self.width)
        turned: Indices = (self.width - 1 - column) * self.height + row
        return turned

    def previous(self, index: Indices) -> Indices:
        """The same pixels, counted in the view of one turn less."""
        row, column = np.divmod(index, self.width)
        turned: Indices = column * self.height + self.height - 1 - row
        return turned

    def opposite(self, index: Indices) -> Indices:
        """The same pixels, counted in the view that stands on its head."""
        return self.pixels.size - 1 - index

    @cached_property
    def points(self) -> Indices:
        """Where runs begin, x and y in the picture as it came, without the padding."""
        row, column = np.divmod(self.first, self.width)
        x, y = column - 1, row - 1
        height, width = self.height - 2, self.width - 2
        match self.turns:
            case 0:
                points = (x, y)
            case 1:
                points = (height - y, x)
            case 2:
                points = (width - x, height - y)
            case _:
                points = (y, width - x)
        return np.stack(points, 1)


def _successors(views: list[_View], offsets: Indices) -> Indices:
    """For each run the one that goes on where it ends: to the right where two ways are open."""
    successors = np.empty(offsets[-1], np.int64)
    for turns, view in enumerate(views):
        pixels, last = view.pixels, view.last
        ahead, across = last + 1, last + 1 - view.width
        right = pixels[ahead] != pixels[last]
        left = ~right & (pixels[across] == pixels[last])
        straight = ~right & ~left
        mine = successors[offsets[turns] : offsets[turns + 1]]
        for chosen, other, pixel in (
            (right, (turns + 1) % 4, view.next(last)),
            (straight, turns, ahead),
            (left, (turns + 3) % 4, view.previous(across)),
        ):
            mine[chosen] = offsets[other] + np.searchsorted(views[other].first, pixel[chosen])
    return successors


def _part_at_saddles(
    views: list[_View], offsets: Indices, successors: Indices, rings: Indices
) -> None:
    """Part the rings that pass a corner twice, between two pixels of one region."""
    for turns in (0, 1):
        view, other = views[turns], views[turns + 2]
        pixels, last = view.pixels, view.last
        across = last + 1 - view.width
        saddle = (pixels[last + 1] != pixels[last]) & (pixels[across] == pixels[last])
        runs = offsets[turns] + np.flatnonzero(saddle)
        twins = offsets[turns + 2] + np.searchsorted(other.last, view.opposite(across[saddle]))
        same = rings[runs] == rings[twins]
        runs, twins = runs[same], twins[same]
        successors[runs], successors[twins] = successors[twins], successors[runs]


def _walk(successors: Indices) -> tuple[Indices, Indices]:
    """Runs in the order of their rings, and where each ring starts, with the end of the last.

    A ring starts with its first run from above.
    """
    follow = successors.data
    seen = bytearray(len(follow))
    # Lists would hold an object for each number.
    order, starts = array("q"), array("q")
    for first in range(len(follow)):
        if not seen[first]:
            starts.append(len(order))
            run = first
            while not seen[run]:
                seen[run] = 1
                order.append(run)
                run = follow[run]
    starts.append(len(order))
    return np.frombuffer(order, np.int64), np.frombuffer(starts, np.int64)


def _rings_of(order: Indices, starts: Indices) -> Indices:
    """The ring of each run."""
    rings = np.empty(len(order), np.int64)
    rings[order] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return rings


def _assemble(views: list[_View], offsets: Indices, order: Indices, starts: Indices) -> Rings:
    points = np.concatenate([view.points for view in views])[order]
    following = np.arange(1, len(order) + 1)
    following[starts[1:] - 1] = starts[:-1]
    x, y = points.T
    areas = np.add.reduceat(x * y[following] - x[following] * y, starts[:-1]) // 2
    top = views[0]
    # Each ring begins with a run of the first view.
    labels = top.pixels[top.first[order[starts[:-1]]]]
    outlines = np.arange(len(areas))
    holes = np.flatnonzero(areas < 0)
    if len(holes):
        _find_outlines(outlines, holes, _Hanging(views, offsets, order, starts, y))
    grouped = np.argsort(outlines, kind="stable")
    return _reordered(Rings(points, starts, labels, areas, outlines), grouped)


class _Hanging:
    """What is above a ring: the next border upwards from its highest pixels."""

    def __init__(
        self, views: list[_View], offsets: Indices, order: Indices, starts: Indices, y: Indices
    ):
        head = (order >= offsets[2]) & (order < offsets[3])
        key = np.where(head, y * len(order) + np.arange(len(order)), np.iinfo(np.int64).max)
        self.key = np.minimum.reduceat(key, starts[:-1])
        self._views, self._offsets, self._order = views, offsets, order
        self._rings = _rings_of(order, starts)

    def above(self, holes: Indices) -> Indices:
        """The ring above each hole, which is of the same region."""
        top, head = self._views[0], self._views[2]
        runs = self._order[self.key[holes] % len(self._order)] - self._offsets[2]
        row, column = np.divmod(head.opposite(head.first[runs]), top.width)
        edge_row, edge_column = np.divmod(top.edges, top.width)
        columns = np.sort(edge_column * top.height + edge_row)
        nearest = columns[np.searchsorted(columns, column * top.height + row, side="right") - 1]
        found_column, found_row = np.divmod(nearest, top.height)
        found = found_row * top.width + found_column
        rings: Indices = self._rings[np.searchsorted(top.first, found, side="right") - 1]
        return rings


def _find_outlines(outlines: Indices, holes: Indices, hanging: _Hanging) -> None:
    """From above to below: what is above a hole is an outline, or a hole whose outline is known."""
    holes = holes[np.argsort(hanging.key[holes])]
    for hole, above in zip(holes.tolist(), hanging.above(holes).tolist(), strict=True):
        outlines[hole] = outlines[above]


def _reordered(rings: Rings, order: Indices) -> Rings:
    lengths = np.diff(rings.starts)[order]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    moved = np.repeat(rings.starts[order] - starts[:-1], lengths)
    renumbered = np.empty_like(order)
    renumbered[order] = np.arange(len(order))
    return Rings(
        rings.points[np.arange(len(rings.points)) + moved],
        starts,
        rings.labels[order],
        rings.areas_px[order],
        renumbered[rings.outlines[order]],
    )
