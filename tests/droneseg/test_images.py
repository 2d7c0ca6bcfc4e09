import io
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from droneseg.errors import (
    BrokenImage,
    DroneSegError,
    ImageTooLarge,
    UnsupportedImage,
    WrongChannels,
)
from droneseg.images import decode_image
from droneseg.scene import draw_scene

SCENE = draw_scene(40, 60, seed=0)
FOUR = np.dstack([SCENE, SCENE[..., 0]])


def encode(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_lossless_formats(file_format: str) -> None:
    data = encode(Image.fromarray(SCENE), file_format)
    np.testing.assert_array_equal(decode_image(data), SCENE)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_lossy_formats(file_format: str) -> None:
    decoded = decode_image(encode(Image.fromarray(SCENE), file_format, quality=95))
    assert decoded.shape == SCENE.shape
    assert np.abs(decoded.astype(int) - SCENE).mean() < 8


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_mode_of_8_bits_becomes_rgb(mode: str) -> None:
    image = Image.fromarray(SCENE).convert(mode)
    decoded = decode_image(encode(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert decoded.shape == SCENE.shape
    assert decoded.dtype == np.uint8


def test_the_colours_under_a_transparent_pixel_are_kept() -> None:
    image = Image.fromarray(SCENE)
    image.putalpha(0)
    np.testing.assert_array_equal(decode_image(encode(image)), SCENE)


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned: show it rotated by 90 degrees clockwise.
    data = encode(Image.fromarray(SCENE), "TIFF", exif=exif)
    np.testing.assert_array_equal(decode_image(data), np.rot90(SCENE, -1))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "JPEG"])
def test_damaged_exif_does_not_lose_the_photo(file_format: str) -> None:
    data = encode(Image.fromarray(SCENE), file_format, exif=b"Exif\0\0damaged")
    assert decode_image(data).shape == SCENE.shape


def test_16_bits_a_pixel_are_not_16_bits_a_channel() -> None:
    """A BMP of 5, 6 and 5 bits."""
    header = (40).to_bytes(4, "little") + b"\2\0\0\0\1\0\0\0\1\0\x10\0" + b"\3\0\0\0" + bytes(20)
    masks = b"".join(m.to_bytes(4, "little") for m in (0xF800, 0x07E0, 0x001F))
    pixels = b"\x00\xf8\x1f\x00"
    offset = 14 + len(header) + len(masks)
    size = (offset + len(pixels)).to_bytes(4, "little")
    data = b"BM" + size + bytes(4) + offset.to_bytes(4, "little") + header + masks + pixels
    assert decode_image(data).tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_16_bits_are_refused_not_cut() -> None:
    deep = Image.fromarray(np.full((4, 4), 40_000, np.uint16))
    with pytest.raises(UnsupportedImage, match="8 bits"):
        decode_image(encode(deep))


def test_16_bit_rgb_is_refused_though_pillow_would_cut_it() -> None:
    rgb16 = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", b"\0\0\0\2\0\0\0\2\x10\2\0\0\0")
        + _chunk(b"IDAT", zlib.compress((b"\0" + b"\x80\1" * 6) * 2))
        + _chunk(b"IEND", b"")
    )
    with pytest.raises(UnsupportedImage, match="8 bits"):
        decode_image(rgb16)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + checksum


def test_too_many_pixels_are_refused_before_decoding() -> None:
    with pytest.raises(ImageTooLarge, match="60 x 40"):
        decode_image(encode(Image.fromarray(SCENE)), max_pixels=2399)


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a", b"<svg></svg>", b"%PDF-1.4"])
def test_other_files_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        decode_image(data)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_a_truncated_image_is_an_error_that_says_so(file_format: str) -> None:
    data = encode(Image.fromarray(SCENE), file_format)
    for length in (len(data) // 2, len(data) - len(data) // 8):
        with pytest.raises(DroneSegError) as caught:
            decode_image(data[:length])
        assert type(caught.value) in {BrokenImage, UnsupportedImage}


def test_random_damage_never_escapes_as_another_error() -> None:
    rng = np.random.default_rng(0)
    for file_format in ("PNG", "JPEG", "TIFF", "WEBP", "BMP"):
        data = bytearray(encode(Image.fromarray(SCENE), file_format))
        for _ in range(40):
            damaged = data.copy()
            for position in rng.integers(0, len(data), 8):
                damaged[position] = rng.integers(256)
            try:
                decode_image(bytes(damaged), max_pixels=1_000_000)
            except DroneSegError:
                continue


def test_a_model_of_one_channel_takes_grey_images() -> None:
    grey = np.asarray(Image.fromarray(SCENE).convert("L"))
    for mode in ("L", "LA"):
        decoded = decode_image(encode(Image.fromarray(grey).convert(mode)), channels=1)
        np.testing.assert_array_equal(decoded, grey[..., None])


def test_a_model_of_four_channels_takes_alpha_as_the_fourth() -> None:
    pixels = np.dstack([SCENE, SCENE[..., 0] // 2])
    for file_format in ("PNG", "TIFF"):
        decoded = decode_image(encode(Image.fromarray(pixels), file_format), channels=4)
        np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize(
    ("mode", "channels", "message"),
    [
        ("RGB", 1, r"the image has 3 channels \(RGB\), the model takes 1 \(L\)"),
        ("RGB", 4, r"the image has 3 channels \(RGB\), the model takes 4 \(RGBA\)"),
        ("L", 4, r"the image has 1 channels \(L\), the model takes 4 \(RGBA\)"),
        ("RGB", 7, "7 channels, which no image file has: give arrays"),
    ],
)
def test_other_channels_than_the_models_are_named(mode: str, channels: int, message: str) -> None:
    data = encode(Image.fromarray(SCENE).convert(mode))
    with pytest.raises(WrongChannels, match=message):
        decode_image(data, channels=channels)


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (SCENE[..., 0] > 99, {}, "1 bit a pixel"),
        (SCENE[..., 0], {"photometric": "miniswhite"}, "MinIsWhite"),
        (FOUR, {"photometric": "rgb", "extrasamples": ["assocalpha"]}, "multiplied"),
        (FOUR, {"photometric": "rgb", "extrasamples": ["unspecified"]}, "ExtraSamples 0"),
    ],
)
def test_what_pillow_would_change_is_refused(
    pixels: NDArray[np.uint8], options: dict[str, Any], message: str
) -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    with pytest.raises(UnsupportedImage, match=message):
        decode_image(buffer.getvalue(), channels=1 if pixels.ndim == 2 else 4)


def test_bands_beyond_rgb_are_not_dropped_in_silence() -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, FOUR, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(WrongChannels, match="the image has 4 channels, the model takes 3"):
        decode_image(buffer.getvalue())
