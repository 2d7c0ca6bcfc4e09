import numpy as np
import pytest

from droneseg.plan import Channel
from droneseg.preprocess import preprocess
from droneseg.scene import draw_scene
from droneseg.tiling import Float32Array, Stitcher, Tiling, gaussian_weights


@pytest.mark.parametrize("shape", [(10, 12), (32, 24), (33, 24), (100, 91)])
def test_the_stitcher_gives_what_one_whole_canvas_gives(shape: tuple[int, int]) -> None:
    patch, classes = (32, 24), 3
    tiling = Tiling.of(shape, patch, 0.5)
    weights = gaussian_weights(patch, 1 / 8)
    rng = np.random.default_rng(0)
    windows = {c: rng.normal(size=(classes, *patch)).astype(np.float32) for c in tiling}

    sums = np.zeros((classes, *tiling.canvas), np.float32)
    totals = np.zeros(tiling.canvas, np.float32)
    for (top, left), window in windows.items():
        area = np.s_[top : top + patch[0], left : left + patch[1]]
        sums[:, *area] += window * weights
        totals[area] += weights

    bands: list[tuple[int, Float32Array]] = []
    stitcher = Stitcher(
        tiling, weights, classes, lambda row, band: bands.append((row, band.copy()))
    )
    for corner, window in windows.items():
        assert not stitcher.finished
        stitcher.add(corner, window.copy())
    assert stitcher.finished
    rows = [row for row, _ in bands]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(np.concatenate([b for _, b in bands], axis=1), sums / totals)


def test_windows_are_cut_with_the_padding_around_them() -> None:
    image = preprocess(
        draw_scene(5, 40, seed=0), [Channel(name, "ZScoreNormalization") for name in "RGB"]
    )
    tiling = Tiling.of(image.box.shape, (9, 16), 0.5)
    assert tiling.canvas == (9, 40)
    assert tiling.padding == (2, 0)
    tile = np.full((3, 9, 16), np.nan, np.float32)
    tiling.cut(image, (0, 24), tile)
    expected = np.zeros_like(tile)
    image.window(slice(0, 5), slice(24, 40), expected[:, 2:7])
    np.testing.assert_array_equal(tile, expected)
    assert len(tiling) == len(list(tiling)) == 4
