import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.responses import Response

from droneseg.bundle import Bundle
from droneseg.cli import main
from droneseg.plan import Label
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import Segmentation
from tests.droneseg.stand_in import COLORS, Received, StandIn, labels_of, refuse, segment, stand_in


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


def test_what_a_mode_chooses_can_be_overridden(
    photos: Path, two_folds_bundle: Bundle, tmp_path: Path
) -> None:
    photo, model = str(photos / "photo0.png"), ["--model", str(two_folds_bundle.path)]
    as_exact = [
        "--mode",
        "fast",
        "--precision",
        "fp32",
        "--mirroring",
        "--tile-step-size",
        "0.5",
        "--threads",
        "1",
    ]
    written = {}
    for name, arguments in (
        ("exact", []),
        ("fast", ["--mode", "fast"]),
        ("overridden", [*as_exact, "--engine", "openvino", "--threads", "1"]),
    ):
        assert main(["predict", photo, "-o", str(tmp_path / name), *model, *arguments]) == 0
        written[name] = (tmp_path / name / "photo0_labels.png").read_bytes()
    assert written["overridden"] == written["exact"] != written["fast"]


def test_a_service_decides_how_it_computes(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ["--url", "http://localhost:1", "--no-mirroring", "--threads", "2"]
    assert main(["predict", str(photos), "-o", "out", *url]) == 1
    assert "error [invalid_option]: --mirroring, --threads" in capsys.readouterr().err


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


def names(folder: Path) -> set[str]:
    return {path.name.removesuffix("_labels.png") for path in folder.glob("*_labels.png")}


def test_folders_and_globs(photos: Path, two_folds_bundle: Bundle, tmp_path: Path) -> None:
    """A folder's images alone, and each photo once, however often it is named."""
    (photos / "notes.txt").write_text("not a photo")
    (photos / "._photo1.png").write_text("what a Mac leaves")
    (photos / "photo0.png").rename(photos / "photo0.PNG")
    (photos / "below").mkdir()
    Image.fromarray(draw_scene(20, 20, seed=9)).save(photos / "below" / "deep[1].jpg")
    model = ["--model", str(two_folds_bundle.path)]
    out = tmp_path / "out"

    def predicted(name: str, *arguments: object) -> set[str]:
        assert main(["predict", *map(str, arguments), "-o", str(out / name), *model]) == 0
        return names(out / name)

    assert predicted("folder", photos) == {"photo0", "photo1", "photo2"}
    assert predicted("glob", photos / "*[12].png") == {"photo1", "photo2"}
    assert predicted("below", photos / "**" / "*.jpg") == {"deep[1]"}
    assert predicted("named", photos / "below" / "deep[1].jpg") == {"deep[1]"}
    assert predicted("twice", photos / "photo1.png", photos) == {"photo0", "photo1", "photo2"}


@pytest.mark.parametrize("argument", ["none/*.jpg", "*", "."])
def test_nothing_found_is_said_before_anything_else(
    tmp_path: Path,
    argument: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["predict", argument, "-o", "out", "--model", "none"]) == 1
    assert "no_photos" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def service() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


def test_a_service_is_asked_and_the_pictures_drawn_here(
    photos: Path, service: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No model is needed on this machine."""
    monkeypatch.setenv("DRONESEG_API_KEY", "s3cret")
    monkeypatch.setenv("DRONESEG_MODEL", "none")
    out = tmp_path / "out"
    assert main(["predict", str(photos), "-o", str(out), "--url", service.url]) == 0
    photo = draw_scene(70, 91, seed=1)
    classes = tuple(Label(i, f"class {i}", color) for i, color in enumerate(COLORS))
    expected = Segmentation(labels_of(photo), classes)
    assert (out / "photo1_labels.png").read_bytes() == expected.label_png()
    assert (out / "photo1_color.png").read_bytes() == expected.color_png()
    assert (out / "photo1_overlay.png").read_bytes() == expected.overlay_png(photo)
    assert len(list(out.iterdir())) == 9
    assert {received.authorization for received in service.received} == {"Bearer s3cret"}
    assert {received.query["render"] for received in service.received} == {"labels"}


def test_photos_that_a_service_refuses_are_skipped(
    photos: Path, service: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def behave(received: Received) -> Response:
        if received.content == b"broken":
            return refuse(422, "broken_image")
        return await segment(received)

    service.behave = behave
    (photos / "broken.png").write_bytes(b"broken")
    out = tmp_path / "out"
    files = [str(photos), str(photos / "missing.png")]
    assert main(["predict", *files, "-o", str(out), "--url", service.url]) == 1
    printed = capsys.readouterr()
    assert "3 segmented" in printed.out
    assert "2 skipped" in printed.out
    assert f"skipped {photos / 'broken.png'}: broken_image it is" in printed.err
    assert f"skipped {photos / 'missing.png'}" in printed.err
    assert names(out) == {"photo0", "photo1", "photo2"}


def test_a_wrong_key_is_said_once(
    photos: Path, service: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def behave(received: Received) -> Response:
        return refuse(401, "unauthorized")

    service.behave = behave
    out = str(tmp_path / "out")
    key = ["--api-key", "wrong"]
    assert main(["predict", str(photos), "-o", out, "--url", service.url, *key]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("unauthorized it is") == 1
    assert "segmented into" not in printed.out


def test_no_server_at_the_url(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert main(["predict", str(photos), "-o", str(tmp_path / "out"), "--url", url]) == 1
    printed = capsys.readouterr().err
    assert printed.count("no server answers") == 1
    assert url in printed


def test_without_httpx_the_extra_is_named(photos: Path, tmp_path: Path) -> None:
    """In a process of its own, where httpx cannot be imported."""
    code = (
        "import sys; sys.modules['httpx'] = None; from droneseg.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["predict", str(photos), "-o", str(tmp_path / "out"), "--url", "http://localhost"]
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "droneseg[client]"' in done.stderr


def test_a_url_and_a_model_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "a.png", "-o", "out", "--url", "http://localhost", "--model", "mine"])
    assert "not allowed with" in capsys.readouterr().err
