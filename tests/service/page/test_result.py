"""What the page shows of an answer is what the model said."""

import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import shapely
from PIL import Image

from droneseg.images import decode_image
from droneseg.predictor import Predictor
from droneseg.scene import draw_scene
from droneseg.segmentation import NOT_KEPT, Segmentation, encode_png
from tests.service.page.photos import SCENE
from tests.service.page.visit import Visit
from tests.service.server import Server

pytestmark = pytest.mark.service


def shown_shares(visit: Visit) -> dict[str, float]:
    rows = visit.page.locator("#legend li")
    names = rows.locator(".name").all_inner_texts()
    shares = rows.locator(".share").all_inner_texts()
    return {n: float(s.removesuffix(" %")) for n, s in zip(names, shares, strict=True)}


def test_a_sample(visit: Visit, server: Server, predictor: Predictor) -> None:
    sample = httpx.get(f"{server.url}/page/samples/1.jpg").content
    (expected,) = predictor.segment([decode_image(sample)])
    visit.page.click("[data-sample='1.jpg']")
    visit.wait_for_result()

    shares = shown_shares(visit)
    assert sum(round(share * 10) for share in shares.values()) == 1000
    for area in expected.areas():
        assert shares[area.label.name] == pytest.approx(area.fraction * 100, abs=0.1)
    assert visit.page.inner_text("#size") == "800 \u00d7 600 px"
    facts = visit.page.inner_text("#facts")
    assert re.search("winograd-cpu|openvino-cpu|onnxruntime-cpu", facts)
    assert "two_folds" in facts
    assert all(stage in facts for stage in ["Decode", "Queue", "Predict", "Encode", "Total"])


def test_the_mask_has_the_colours_of_the_labels(
    visit: Visit, photo: Path, expected: Segmentation
) -> None:
    visit.pick(photo)
    mask = visit.canvas("mask")
    np.testing.assert_array_equal(mask[..., :3], expected.color())
    assert (mask[..., 3] == 255).all()
    np.testing.assert_array_equal(visit.canvas("photo")[..., :3], SCENE)


DECODE = """async (bytes) => {
  const { decodePalettePng } = await import("/page/palette_png.js");
  const { width, height, values } = await decodePalettePng(new Uint8Array(bytes));
  return [width, height, Array.from(values)];
}"""


def test_every_filter_of_png_is_read(visit: Visit) -> None:
    """Pillow filters the rows of grey images, of palette images never; another encoder may."""
    grey = SCENE[..., 1]
    png = bytearray(encode_png(grey))
    color_type = png.index(b"IHDR") + 4 + 9
    assert png[color_type] == 0
    png[color_type] = 3
    width, height, values = visit.page.evaluate(DECODE, list(png))
    np.testing.assert_array_equal(np.array(values, np.uint8).reshape(height, width), grey)
    rows = np.frombuffer(zlib.decompress(b"".join(idat_chunks(png))), np.uint8)
    assert set(rows.reshape(height, width + 1)[:, 0]) >= {1, 2, 4}


def idat_chunks(png: bytearray) -> Iterator[bytes]:
    at = 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            yield bytes(png[at + 8 : at + 8 + length])
        at += length + 12


def test_the_class_under_the_pointer(visit: Visit, photo: Path, expected: Segmentation) -> None:
    visit.pick(photo)
    names = {label.id: label.name for label in expected.classes}
    height, width = expected.labels.shape
    box = visit.page.locator("#picture").bounding_box()
    assert box is not None
    seen = set()
    for y, x in [(1, 3), (20, 30), (45, 60), (70, 100), (88, 118), (10, 110), (80, 5)]:
        visit.page.mouse.move(
            box["x"] + (x + 0.5) / width * box["width"],
            box["y"] + (y + 0.5) / height * box["height"],
        )
        name = visit.page.inner_text("#tip")
        assert name == names[int(expected.labels[y, x])]
        assert visit.page.inner_text("#legend li.under .name") == name
        seen.add(name)
    assert len(seen) > 1
    visit.page.mouse.move(0, 0)
    assert visit.page.locator("#tip").is_hidden()


def test_toggling_a_class_hides_its_pixels(
    visit: Visit, photo: Path, expected: Segmentation
) -> None:
    visit.pick(photo)
    before = visit.canvas("mask")
    hidden = expected.classes_found[-1]
    box = visit.page.locator(f"#legend li[data-id='{hidden}'] input")
    box.uncheck()
    mask = visit.canvas("mask")
    np.testing.assert_array_equal(mask[..., 3] == 0, expected.labels == hidden)
    rest = expected.labels != hidden
    np.testing.assert_array_equal(mask[rest], before[rest])
    box.check()
    np.testing.assert_array_equal(visit.canvas("mask"), before)


def test_opacity_and_wipe(visit: Visit, photo: Path) -> None:
    visit.pick(photo)
    visit.slide("opacity", 0)
    bare = visit.screenshot()
    visit.slide("opacity", 100)
    masked = visit.screenshot()
    visit.slide("wipe", 50)
    halves = visit.screenshot()
    visit.slide("wipe", 100)
    wiped = visit.screenshot()
    # Away from the divider and its handle.
    middle = bare.shape[1] // 2
    left, right = slice(40, middle - 40), slice(middle + 40, -40)
    assert (bare[:, right] != masked[:, right]).any()
    np.testing.assert_array_equal(halves[:, left], bare[:, left])
    np.testing.assert_array_equal(halves[:, right], masked[:, right])
    np.testing.assert_array_equal(wiped[:, right], bare[:, right])


def test_the_labels_download_is_what_the_predictor_says(
    visit: Visit, photo: Path, expected: Segmentation
) -> None:
    visit.pick(photo)
    name, data = visit.download("labels")
    assert name == "field_labels.png"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), expected.labels)


def test_the_overlay_download_is_as_shown(
    visit: Visit, photo: Path, expected: Segmentation
) -> None:
    visit.pick(photo)
    *kept, hidden = expected.classes_found
    visit.page.locator(f"#legend li[data-id='{hidden}'] input").uncheck()
    visit.slide("opacity", 40)
    name, data = visit.download("overlay")
    assert name == "field_overlay.png"
    overlay = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    wanted = expected.keep(kept)
    assert (wanted.labels == NOT_KEPT).any()
    # The browser rounds alpha to 8 bits.
    np.testing.assert_allclose(overlay, wanted.overlay(SCENE, 0.4).astype(int), atol=2)


def test_the_polygons_download_covers_every_pixel(
    visit: Visit, photo: Path, expected: Segmentation
) -> None:
    visit.pick(photo)
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    name, data = visit.download("geojson")
    assert name == "field.geojson"
    assert [url.rpartition("/")[2] for url in asked if "blob:" not in url] == ["polygons"]
    features = json.loads(data)["features"]
    covered = sum(shapely.from_geojson(json.dumps(f["geometry"])).area for f in features)
    assert covered == expected.labels.size
    assert visit.page.locator("#progress").is_hidden()


def test_a_large_photo_is_shown_scaled_and_named_in_full_size(
    visit: Visit, predictor: Predictor, tmp_path: Path
) -> None:
    scene = draw_scene(48, 3000, seed=8)
    (expected,) = predictor.segment([scene])
    Image.fromarray(scene).save(tmp_path / "strip.png")
    visit.pick(tmp_path / "strip.png")
    assert visit.canvas("photo").shape == (33, 2048, 4)
    assert visit.canvas("mask").shape == (33, 2048, 4)
    visit.page.focus("#picture")
    visit.page.keyboard.press("Shift+ArrowRight")
    x, y = (int(visit.page.get_attribute("#tip", f"data-{axis}") or "") for axis in "xy")
    assert (x, y) == (1501, 24)
    names = {label.id: label.name for label in expected.classes}
    assert visit.page.inner_text("#tip") == names[int(expected.labels[y, x])]


def save_turned(path: Path) -> None:
    """SCENE on its side, with the EXIF orientation that puts it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(SCENE)))
    turned.save(path, exif=exif, quality=95)


@pytest.mark.parametrize("name", ["turned.jpg", "turned.png"])
def test_a_photo_is_upright(visit: Visit, predictor: Predictor, tmp_path: Path, name: str) -> None:
    save_turned(tmp_path / name)
    upright = decode_image((tmp_path / name).read_bytes())
    (expected,) = predictor.segment([upright])
    visit.pick(tmp_path / name)
    shown = visit.canvas("photo")[..., :3].astype(int)
    # Two decoders of JPEG differ in the last bits.
    np.testing.assert_allclose(shown, upright.astype(int), atol=4)
    np.testing.assert_array_equal(visit.canvas("mask")[..., :3], expected.color())


def test_a_photo_that_the_browser_cannot_show(
    visit: Visit, expected: Segmentation, tmp_path: Path
) -> None:
    Image.fromarray(SCENE).save(tmp_path / "field.tiff")
    visit.pick(tmp_path / "field.tiff")
    np.testing.assert_array_equal(visit.canvas("mask")[..., :3], expected.color())
    assert not visit.canvas("photo").any()
    assert "cannot show" in visit.page.inner_text("#size")
    assert visit.page.is_disabled("[data-download=overlay]")


def test_a_photo_that_the_browser_shows_on_its_side(visit: Visit, tmp_path: Path) -> None:
    """Chromium does not turn WebP, so the mask would not fit."""
    save_turned(tmp_path / "turned.webp")
    visit.pick(tmp_path / "turned.webp")
    assert visit.canvas("mask").shape == (*SCENE.shape[:2], 4)
    assert not visit.canvas("photo").any()
    assert "cannot show" in visit.page.inner_text("#size")
