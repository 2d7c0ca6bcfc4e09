"""Memory is used again, and what lies in it does not show."""

import numpy as np
import pytest
from numpy.typing import NDArray

from droneseg import scratch
from droneseg.scratch import Scratch
from droneseg.tiling import Stitcher, Tiling, gaussian_weights

PATCH, HEADS = (16, 24), 3


def stitch(shape: tuple[int, int], memory: Scratch) -> NDArray[np.float32]:
    tiling = Tiling.of(shape, PATCH, 0.5)
    bands: list[NDArray[np.float32]] = []
    stitcher = Stitcher(
        tiling,
        gaussian_weights(PATCH, 1 / 8),
        HEADS,
        lambda _, rows: bands.append(rows.copy()),
        scratch=memory,
    )
    rng = np.random.default_rng(0)
    for corner in tiling:
        stitcher.add(corner, rng.normal(size=(HEADS, *PATCH)).astype(np.float32))
    return np.concatenate(bands, axis=1)


@pytest.mark.parametrize("widths", [(90, 30, 90), (30, 90, 30)])
def test_one_photo_after_the_other_in_the_same_memory(widths: tuple[int, ...]) -> None:
    memory = Scratch()
    used = memory.take(2 * (2 * HEADS + 1) * PATCH[0] * max(widths))
    used.fill(np.nan)
    memory.give(used)
    for width in widths:
        np.testing.assert_array_equal(stitch((40, width), memory), stitch((40, width), Scratch()))
        used.fill(np.nan)
    assert memory.take(1) is used


def test_two_at_once_do_not_share() -> None:
    memory = Scratch()
    one, other = memory.take(100), memory.take(100)
    assert not np.shares_memory(one, other)
    memory.give(one)
    memory.give(other)
    assert memory.take(100) is other
    assert memory.take(100) is one


def test_what_is_too_small_is_replaced_and_what_is_huge_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scratch, "MAX_KEPT_BYTES", 800)
    memory = Scratch()
    memory.give(memory.take(100))
    large = memory.take(201)
    assert len(large) >= 201
    memory.give(large)
    assert len(memory.take(100)) == 100
