from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from droneseg.bundle import Bundle
from droneseg.cli import main
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(draw_scene(70, 90 + seed, seed=seed)).save(folder / f"photo{seed}.png")
    return folder


def test_predict_writes_three_images_a_photo(
    photos: Path, two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    files = sorted(map(str, photos.iterdir()))
    out = tmp_path / "out"
    model = str(two_folds_bundle.path)
    assert main(["predict", *files, "-o", str(out), "--model", model]) == 0
    kinds = ("color", "labels", "overlay")
    assert sorted(p.name for p in out.iterdir()) == [
        f"photo{seed}_{kind}.png" for seed in range(3) for kind in kinds
    ]
    (expected,) = Predictor(two_folds_bundle).segment([draw_scene(70, 91, seed=1)])
    written = np.asarray(Image.open(out / "photo1_labels.png"))
    np.testing.assert_array_equal(written, expected.labels)


def test_bad_photos_are_named_counted_and_skipped(
    photos: Path, two_folds_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.png").write_bytes((photos / "photo0.png").read_bytes()[:200])
    (photos / "notes.txt").write_text("not a photo")
    files = [*sorted(map(str, photos.iterdir())), str(photos / "missing.png")]
    out = tmp_path / "out"
    model = str(two_folds_bundle.path)
    assert main(["predict", *files, "-o", str(out), "--model", model]) == 1
    printed = capsys.readouterr()
    assert "3 segmented" in printed.out
    assert "3 skipped" in printed.out
    for name in ("broken.png", "notes.txt", "missing.png"):
        assert name in printed.err
    assert len(list(out.iterdir())) == 9


def test_photos_that_would_overwrite_each_other_are_refused(
    photos: Path, two_folds_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    files = [str(photos / "photo0.png"), str(tmp_path / "photo0.jpg")]
    assert main(["predict", *files, "-o", str(out), "--model", str(two_folds_bundle.path)]) == 1
    assert "name_clash" in capsys.readouterr().err
    assert not out.exists()


def test_results_never_go_among_the_photos(
    photos: Path, two_folds_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    annotation = photos / "photo0_labels.png"
    annotation.write_bytes(b"mine")
    model = str(two_folds_bundle.path)
    assert main(["predict", f"{photos}/photo0.png", "-o", str(photos), "--model", model]) == 1
    assert "name_clash" in capsys.readouterr().err
    assert annotation.read_bytes() == b"mine"


def test_a_missing_model_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--model", str(tmp_path / "none")]) == 1
    printed = capsys.readouterr().err
    assert "bundle_not_found" in printed
    assert "make model" in printed


def test_info_describes_the_model(
    two_folds_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--model", str(two_folds_bundle.path)]) == 0
    printed = capsys.readouterr().out
    for part in ("two_folds", "folds 0, 2", "64 x 48 px", "roof", "#000000"):
        assert part in printed
