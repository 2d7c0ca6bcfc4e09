"""Aerial-looking photos drawn from a seed: for proofs, warm-up, samples and tests."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Color = tuple[int, int, int]


def draw_scene(height: int, width: int, seed: int, channels: int = 3) -> NDArray[np.uint8]:
    """Draw fields, water, roads and roofs as seen from above, uint8 [H, W, channels].

    One channel is grey, three are RGB, and what a camera with more would see is mixed from those.
    The same seed and size give the same picture for a version of Pillow.
    """
    rgb = _draw_rgb(height, width, seed)
    if channels == 3:
        return rgb
    if channels == 1:
        grey: NDArray[np.uint8] = rgb.mean(axis=2, keepdims=True).astype(np.uint8)
        return grey
    extra = np.random.default_rng(seed).dirichlet((1, 1, 1), max(channels - 3, 0))
    mixed = 255 - (rgb @ extra.T).astype(np.uint8)
    return np.concatenate([rgb[..., :channels], mixed], axis=2)


def _draw_rgb(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([seed, height, width])
    image = Image.fromarray(_ground(rng, height, width))
    draw = ImageDraw.Draw(image)
    unit = max(min(height, width), 64)
    _vegetation(draw, rng, height, width, unit)
    _water(draw, rng, height, width, unit)
    spacing = unit // 3
    for row in range(spacing // 2, height, spacing):
        _road(draw, rng, (0, row), (width, row + int(rng.integers(-20, 20))), unit)
    for column in range(spacing // 2, width, spacing):
        _road(draw, rng, (column, 0), (column + int(rng.integers(-20, 20)), height), unit)
    _buildings(draw, rng, height, width, unit)
    return _camera(image, rng)


def _ground(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Sand whose brightness changes slowly."""
    coarse = rng.uniform(0.8, 1.1, (height // 96 + 2, width // 96 + 2)).astype(np.float32)
    shade = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    sand = np.array(rng.uniform((176, 158, 128), (206, 188, 158)))
    return np.clip(shade[..., None] * sand, 0, 255).astype(np.uint8)


def _vegetation(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, height: int, width: int, unit: int
) -> None:
    for _ in range(max(3, height * width // (unit * unit) * 24)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        for _ in range(int(rng.integers(2, 9))):
            cx, cy = rng.normal((x, y), unit / 24)
            radius = rng.uniform(0.008, 0.03) * unit
            green = tuple(int(v) for v in rng.uniform((40, 70, 35), (85, 115, 65)))
            draw.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=green)


def _water(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, height: int, width: int, unit: int
) -> None:
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = rng.uniform(0.12, 0.2) * unit * rng.uniform(0.85, 1.15, angles.shape)
    shore = [
        (x + r * np.cos(a), y + 0.7 * r * np.sin(a)) for r, a in zip(radii, angles, strict=True)
    ]
    draw.polygon(shore, fill=(34, 84, 104), outline=(120, 128, 110))


def _road(
    draw: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    start: tuple[int, int],
    end: tuple[int, int],
    unit: int,
) -> None:
    grey = int(rng.integers(95, 125))
    breadth = max(3, int(unit * rng.uniform(0.015, 0.035)))
    draw.line((start, end), fill=(grey, grey, grey + 4), width=breadth)
    draw.line((start, end), fill=(214, 210, 196), width=max(1, breadth // 12))


def _buildings(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, height: int, width: int, unit: int
) -> None:
    roofs: list[Color] = [(226, 222, 214), (198, 190, 178), (166, 92, 70), (146, 148, 152)]
    for _ in range(max(4, height * width // (unit * unit) * 40)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        w, h = rng.uniform(0.03, 0.09, 2) * unit
        shadow = 0.008 * unit
        draw.rectangle((x + shadow, y + shadow, x + w + shadow, y + h + shadow), fill=(62, 58, 54))
        draw.rectangle((x, y, x + w, y + h), fill=roofs[int(rng.integers(len(roofs)))])
        draw.line((x, y + h / 2, x + w, y + h / 2), fill=(120, 112, 104), width=1)


def _camera(image: Image.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A little blur and noise."""
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    noisy = pixels + rng.normal(0, 4, pixels.shape).astype(np.float32)
    return np.clip(noisy, 0, 255).astype(np.uint8)
