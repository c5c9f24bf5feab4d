"""The window, the light and the small camera through which a digit is seen.

Every picture is the crop of one place as a person sets it: with parts of the frame, or of the decimal point, in uneven
light, and of few pixels. Contrast, shift and scale come with the augmentation of the recipe, which photographs get as
well.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Rng = np.random.Generator
Grey = NDArray[np.float32]
_SMALL, _LARGE = (20, 32), (40, 64)
"""Width and height in pixels of the pictures that most cameras of meters give of one digit, and that good ones give."""


def photograph(grey: Grey, rng: Rng) -> NDArray[np.uint8]:
    """Return a picture as a camera sees it.

    Args:
        grey: shape ``(64, w)``, about 0 to 255; may be changed.
        rng: decides frame, light and camera.

    Returns:
        Shape ``(32, 20)``, or for one in ten ``(64, 40)``.
    """
    for side in range(4):
        if rng.random() < 0.3:
            grey = _framed(grey, side, rng)
    if rng.random() < 0.15:
        grey = _pointed(grey, rng)
    return _small(_lit(grey, rng), rng)


def _framed(grey: Grey, side: int, rng: Rng) -> Grey:
    """Show the edge of the window at a side: 0 above, 1 below, 2 left, 3 right."""
    upright = side < 2
    length = grey.shape[0 if upright else 1]
    far = max(1, int(length * rng.uniform(0.02, 0.2 if upright else 0.13)))
    along = np.arange(length, dtype=np.float32)
    if side in (1, 3):
        along = along[::-1]
    share = 1 / (1 + np.exp(np.clip((along - far) / rng.uniform(0.3, 3), -20, 20)))
    grey = _blended(grey, rng.uniform(0, 255), rng.uniform(0.5, 1) * _across(share, upright))
    if rng.random() < 0.3:
        # Its rim, which is lit or in shadow.
        rim = np.exp(-(((along - far) / rng.uniform(0.7, 2.0)) ** 2))
        grey = _blended(grey, rng.uniform(0, 255), rng.uniform(0.3, 1) * _across(rim, upright))
    return grey


def _across(share: NDArray[np.floating], upright: bool) -> NDArray[np.floating]:
    return share[:, None] if upright else share[None]


def _blended(grey: Grey, tone: float, share: NDArray[np.floating]) -> Grey:
    """Return the picture moved towards one grey by ``share``, 0 to 1, of each pixel."""
    return (grey + (tone - grey) * share).astype(np.float32)


def _pointed(grey: Grey, rng: Rng) -> Grey:
    """Show the decimal point or comma of a neighbour in a lower corner."""
    high, wide = grey.shape
    mark = Image.new("L", (wide, high))
    pen = ImageDraw.Draw(mark)
    x = float(rng.uniform(0, 0.15) if rng.random() < 0.5 else rng.uniform(0.85, 1)) * wide
    y, r = float(rng.uniform(0.72, 0.95)) * high, float(rng.uniform(2, 4.5))
    pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    if rng.random() < 0.5:
        pen.line([(x + r / 2, y), (x - r, y + 2.5 * r)], fill=255, width=3)
    return _blended(grey, rng.uniform(0, 255), np.asarray(mark, np.float32) / np.float32(255))


def _lit(grey: Grey, rng: Rng) -> Grey:
    """Put the picture into uneven light: slopes, the edge of a shadow, reflections, dirt."""
    high, wide = grey.shape
    y, x = np.linspace(-1, 1, high, dtype=np.float32)[:, None], np.linspace(-1, 1, wide, dtype=np.float32)[None]
    if rng.random() < 0.5:
        grey = grey * np.clip(
            1 + np.float32(rng.uniform(-0.5, 0.5)) * x + np.float32(rng.uniform(-0.5, 0.5)) * y, 0.1, 2
        )
    if rng.random() < 0.15:
        angle = rng.uniform(0, 2 * np.pi)
        away = (np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.7, 0.7)) * rng.uniform(2, 20)
        dark = rng.uniform(0.2, 0.7) / (1 + np.exp(np.clip(away, -20, 20)))
        grey = (grey * (1 - dark)).astype(np.float32)
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 3))):
            reach = rng.uniform(0.1, 0.7, 2)
            away = ((y - rng.uniform(-1, 1)) / reach[0]) ** 2 + ((x - rng.uniform(-1, 1)) / reach[1]) ** 2
            grey = _blended(grey, rng.uniform(80, 255), rng.uniform(0.2, 0.8) * np.exp(-away))
    if rng.random() < 0.5:
        coarse = int(rng.choice([4, 8, 16]))
        spots = rng.standard_normal((high // coarse, max(2, wide // coarse)), dtype=np.float32)
        dirt = np.asarray(Image.fromarray(spots).resize((wide, high), Image.Resampling.BICUBIC), np.float32)
        grey = grey + dirt * np.float32(rng.uniform(0, 10))
    return grey.astype(np.float32)


def _small(grey: Grey, rng: Rng) -> NDArray[np.uint8]:
    """Return the picture of a camera: out of focus, of few pixels, now and then sharpened, with noise."""
    picture = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    if rng.random() < 0.7:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 2.4))))
    size = _LARGE if rng.random() < 0.1 else _SMALL
    picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.asarray(picture, np.float32)
    if rng.random() < 0.3:
        soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), np.float32)
        pixels = pixels + np.float32(rng.uniform(0.3, 1.5)) * (pixels - soft)
    pixels = pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(rng.uniform(0, 4))
    return np.clip(pixels, 0, 255).astype(np.uint8)
