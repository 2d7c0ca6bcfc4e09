import io

import numpy as np
import pytest
from PIL import Image

from droneseg.errors import InvalidArray
from droneseg.plan import Label
from droneseg.segmentation import Segmentation

CLASSES = (Label(0, "none", "#000000"), Label(1, "roof", "#FF8000"), Label(2, "road", "#0000FF"))
SEGMENTATION = Segmentation(np.array([[0, 2], [2, 2], [0, 0]], np.uint8), CLASSES)


def decode(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_classes_found() -> None:
    assert SEGMENTATION.classes_found == [0, 2]
    assert SEGMENTATION.pixel_counts.tolist() == [3, 0, 3]


def test_label_png_holds_the_ids() -> None:
    image = decode(SEGMENTATION.label_png())
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), SEGMENTATION.labels)


def test_palette_png_holds_the_ids_in_colours() -> None:
    image = decode(SEGMENTATION.palette_png())
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), SEGMENTATION.labels)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), SEGMENTATION.color())


def test_color_png_holds_the_colours() -> None:
    image = decode(SEGMENTATION.color_png())
    assert (image.mode, image.size) == ("RGB", (2, 3))
    assert image.getpixel((1, 0)) == (0, 0, 255)
    assert image.getpixel((0, 2)) == (0, 0, 0)


@pytest.mark.parametrize(("alpha", "pixel"), [(0, (100, 100, 100)), (1, (0, 0, 255))])
def test_overlay_goes_from_photo_to_colours(alpha: float, pixel: tuple[int, int, int]) -> None:
    photo = np.full((3, 2, 3), 100, np.uint8)
    image = decode(SEGMENTATION.overlay_png(photo, alpha))
    assert image.getpixel((1, 0)) == pixel


def test_an_overlay_on_another_photo_is_refused() -> None:
    with pytest.raises(InvalidArray, match=r"3 x 2 px, got an array of shape \[2, 3, 3\]"):
        SEGMENTATION.overlay(np.zeros((2, 3, 3), np.uint8))


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_an_overlay_shows_grey_or_the_first_three_channels(channels: int) -> None:
    photo = np.full((3, 2, channels), 100, np.uint8)
    assert SEGMENTATION.overlay(photo, alpha=0)[0, 1].tolist() == [100, 100, 100]


def test_ids_may_have_gaps() -> None:
    """As regions may leave them."""
    classes = (Label(0, "none", "#000000"), Label(9, "roof", "#FF8000"))
    segmentation = Segmentation(np.array([[0, 9], [9, 9]], np.uint8), classes)
    assert segmentation.classes_found == [0, 9]
    assert segmentation.pixel_counts.tolist() == [1, 3]
    assert segmentation.color()[1, 1].tolist() == [255, 128, 0]
