"""What paper, light, lens, camera and file format do to the picture of a line."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Rng = np.random.Generator
Grey = NDArray[np.float32]
Pictures = NDArray[np.uint8]


def toned(ink: Pictures, ruled: Pictures | None, others: Pictures | None, rng: Rng) -> Grey:
    """Turn ink and rules into greys on a ground.

    Args:
        ink: of the line, 255 is ink.
        ruled: rules around it, in the same shape, or None.
        others: parts of other lines, likewise.
        rng: decides the greys; in a fifth of the cases light on dark.

    Returns:
        Shape as ``ink``, about 0 to 255.
    """
    if rng.random() < 0.22:
        # Light on dark.
        paper = rng.uniform(5, 130)
        tone = paper + rng.uniform(35, 250 - paper)
    else:
        paper = rng.uniform(120, 255) if rng.random() < 0.8 else rng.uniform(200, 255)
        contrast = rng.uniform(0.12, 0.5) if rng.random() < 0.3 else rng.uniform(0.4, 1.0)
        tone = paper - contrast * (paper - 5)
    grey = np.full(ink.shape, paper, np.float32)
    if rng.random() < 0.05:
        # What is written behind shows through.
        grey += ink[:, ::-1] * np.float32(rng.uniform(0.05, 0.22) * (tone - paper) / 255)
    if ruled is not None:
        way = rng.random()
        rule = tone if way < 0.25 else paper + (tone - paper) * rng.uniform(0.12, 1.15)
        grey += ruled * np.float32((np.clip(rule, 0, 255) - paper) / 255)
    if others is not None:
        grey += others * np.float32((tone - paper) / 255 * rng.uniform(0.6, 1))
    if ruled is None and others is None:
        return grey + ink * np.float32((tone - paper) / 255)
    return grey + ink * (np.float32(1 / 255) * (np.float32(tone) - grey))


def warp(grey: Grey, rng: Rng) -> Grey:
    """Turn, slant and squeeze a picture a little, as a camera does that is not held straight.

    One in four gets perspective. The shape stays.
    """
    high, wide = grey.shape
    pad = 10
    # The edges are continued outwards.
    picture = Image.fromarray(np.pad(grey, pad, mode="edge"))
    angle = rng.normal(0, 0.022)
    if rng.random() < 0.1:
        angle = rng.uniform(-0.09, 0.09)
    # Long lines turned by much would leave the picture.
    angle = float(np.clip(angle, -14 / wide, 14 / wide))
    shear = rng.normal(0, 0.05)
    zoom_x, zoom_y = np.exp(rng.normal(0, 0.04, 2))
    cx, cy = wide / 2, high / 2
    a, b, d, e = zoom_x, shear, angle, zoom_y
    c, f = cx + pad - a * cx - b * cy, cy + pad - d * cx - e * cy
    if rng.random() < 0.25:
        g, h = rng.normal(0, 0.12) / wide, rng.normal(0, 0.04) / high
        # About the middle: there the divisor is 1.
        n = 1 - g * cx - h * cy
        data = (
            a + g * (cx + pad),
            b + h * (cx + pad),
            c - (g * cx + h * cy) * (cx + pad),
            d + g * (cy + pad),
            e + h * (cy + pad),
            f - (g * cx + h * cy) * (cy + pad),
        )
        moved = picture.transform(
            (wide, high), Image.Transform.PERSPECTIVE, (*(v / n for v in data), g / n, h / n), Image.Resampling.BILINEAR
        )
    else:
        moved = picture.transform((wide, high), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR)
    return np.array(moved)


def light(grey: Grey, rng: Rng) -> Grey:
    """Light a picture unevenly: a slope, and now and then the edge of a shadow, glare, or a fold."""
    high, wide = grey.shape
    x, y = np.linspace(-1, 1, wide, dtype=np.float32), np.linspace(-1, 1, high, dtype=np.float32)[:, None]
    aspect = wide / high

    def u(low: float, high_end: float) -> np.float32:
        return np.float32(rng.uniform(low, high_end))

    if rng.random() < 0.6:
        strength = u(0, 0.35)
        grey = grey * (1 + strength * u(-1, 1) * x + strength * u(-0.6, 0.6) * y)
    way = rng.random()
    if way < 0.1:
        # The edge of a shadow, at any slant.
        place = x * np.float32(aspect) + y * u(-1.5, 1.5) - u(-aspect, aspect)
        edge = 1 / (1 + np.exp(np.clip(-place * u(2, 30), -30, 30)))
        grey = grey * (1 - u(0.15, 0.6) * (edge if rng.random() < 0.5 else 1 - edge))
    elif way < 0.15:
        away = (x * np.float32(aspect) - u(-aspect, aspect)) ** 2 + (y - u(-1, 1)) ** 2
        grey = grey + (255 - grey) * np.exp(-away / u(0.1, 1.5)) * u(0.2, 0.8)
    elif way < 0.2:
        # A fold, upright or level: a thin line, and the paper darker behind it.
        if rng.random() < 0.6:
            place = x * np.float32(wide / 2) + y * u(-8, 8) - u(-0.5, 0.5) * np.float32(wide)
        else:
            place = y * np.float32(high / 2) + x * u(-4, 4) - u(-0.5, 0.5) * np.float32(high)
        crease = np.exp(-((place / u(0.8, 2.5)) ** 2))
        grey = grey * (1 + u(-0.25, 0.15) * crease) * (1 - u(0, 0.2) * (place > 0))
    return grey


def specks(grey: Grey, rng: Rng, finest: float) -> None:
    """Put one to five specks of dirt into a picture, in place, with a radius of ``finest`` pixels at most."""
    high, wide = grey.shape
    for _ in range(int(rng.integers(1, 6))):
        r = rng.uniform(0.4, max(0.5, finest))
        x, y = rng.uniform(0, wide), rng.uniform(0, high)
        x0, x1, y0, y1 = int(max(x - 3, 0)), int(min(x + 4, wide)), int(max(y - 3, 0)), int(min(y + 4, high))
        away = np.hypot(np.arange(x0, x1)[None] - x, np.arange(y0, y1)[:, None] - y)
        grey[y0:y1, x0:x1] += (np.clip(r + 0.5 - away, 0, 1) * rng.uniform(-90, 30)).astype(np.float32)


def camera(grey: Grey, rng: Rng, noise: NDArray[np.float32], size: float, even: bool = True) -> Pictures:
    """Photograph: paper, blur, a coarse sensor, grain, a steep tone curve, JPEG.

    Args:
        grey: the picture, about 0 to 255.
        rng: what chance is drawn from.
        noise: normally distributed numbers, more of them than pixels.
        size: height of a digit in pixels. Blur and sensor leave digits of this height legible.
        even: whether the light is even enough for a steep tone curve.

    Returns:
        uint8, of the same or a smaller size.
    """
    size = max(size, 1.0)
    high, wide = grey.shape
    if rng.random() < 0.2:
        # Paper's own texture, and bad light.
        rows, columns = max(2, high // 8), max(2, wide // 8)
        start = int(rng.integers(0, noise.size - rows * columns))
        coarse = Image.fromarray(noise[start : start + rows * columns].reshape(rows, columns))
        texture: Grey = np.asarray(coarse.resize((wide, high), Image.Resampling.BICUBIC))
        grey = grey + texture * np.float32(rng.uniform(1, 9))
    picture = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    way = rng.random()
    if way < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.8) * min(1.0, size / 38)))
    elif way < 0.31:
        # Moved while it was taken, sideways or upwards.
        sideways, far = rng.random() < 0.6, rng.uniform(0.5, 2) * size / 44
        picture = picture.filter(ImageFilter.BoxBlur((far, 0) if sideways else (0, far)))
    if rng.random() < 0.35:
        # A sensor, or a file, with fewer pixels; a digit keeps 9 rows or more.
        rows = int(min(high, high / size * 9 * np.exp(rng.uniform(0, 1.4))))
        columns = max(4, round(wide * rows / high))
        smooth = rows < 14 * high / size or rng.random() < 0.8
        picture = picture.resize((columns, rows), Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST)
    pixels = np.asarray(picture)
    if rng.random() < 0.6:
        start = int(rng.integers(0, noise.size - pixels.size))
        # Grain in proportion to the contrast, so that the line stays legible.
        contrast = float(np.ptp(pixels[::2, ::2]))
        spread = contrast * (rng.uniform(0.005, 0.03) if rng.random() < 0.7 else rng.uniform(0.03, 0.11))
        pixels = np.clip(
            pixels + noise[start : start + pixels.size].reshape(pixels.shape) * np.float32(spread), 0, 255
        ).astype(np.uint8)
    if even and rng.random() < 0.12:
        # A scan in nearly black and white: a steep curve around a level between ground and ink.
        low, middle, high_ = (float(v) for v in np.percentile(pixels[::2, ::2], (2, 50, 98)))
        ink = low if middle - low > high_ - middle else high_
        middle += (ink - middle) * rng.uniform(0.3, 0.6)
        gain = rng.uniform(2, 8) * 128 / max(high_ - low, 32)
        table = np.clip((np.arange(256) - middle) * gain + 128, 0, 255).astype(np.uint8)
        pixels = table[pixels]
    if rng.random() < 0.2:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(12, 75)))
        pixels = np.asarray(Image.open(file))
    return pixels
