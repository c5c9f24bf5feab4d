"""Where the ink is in a picture: any mode to gray, dark on light or the reverse, the paper under it, a threshold."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.image.arrays import Gray

Mix = tuple[float, float, float]
"""Shares of red, green and blue, which add up to 1."""

COARSE = 56
"""Longest side in pixels of the small copy that polarity and paper are judged on."""
_COLOURS = 32
"""Longest side in pixels of the one that colours are judged on."""
STROKE = 0.2
"""A stroke is narrower than this share of the longest side; what is wider is paper (or a shadow, or a table)."""
_TWO_LEVELS = 0.93
"""Where two levels of gray explain this share of the variance, the picture is a scan or a drawing, without shadows."""
_SHADOW = 0.25
"""A shadow that a digit may lie in goes along this share of the border; a smaller one is a piece of ink beside it."""
_CLEARLY = 0.15
"""Where little speaks for light ink, up to this, it may as well be light that fades, but for pictures of two levels."""
_DARKEST_PAPER = 48
"""Ink is measured relative to the paper around it, as light is; below this gray the noise would be blown up."""
_FAINT = 10.0
"""Ink fainter than this, of 255, is not told from the dirt and the JPEG blocks on clean paper."""
_SAMPLE = 2_000
"""About as many pixels tell the grain of the paper."""
_WEAK = 0.4
"""The ends of a stroke may be this much weaker than the threshold between strong and weak ink."""
_PART = 1 << 20
"""Pixels that are counted at a time."""
_VALUES = np.arange(256.0)


@dataclass(frozen=True)
class Ink:
    """The ink of a picture."""

    strength: Gray
    """Shape of the picture: 0 paper, 255 as dark as can be on it (or as light, on dark paper)."""
    high: float
    """A piece of ink has a pixel at least this strong, in (0, 255]."""
    low: float
    """The pixels of a piece of ink are stronger than this, in (0, 255]."""
    faint: float
    """Up to this strength it may be the grain of the paper, in (0, 255]."""
    light: bool
    """The ink is lighter than the paper."""


def to_plain(image: Image.Image) -> Image.Image:
    """Any mode as ``L`` or ``RGB``; what is transparent is paper, of the colour that the drawing is seen on."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return Image.fromarray(_eight_bit(np.asarray(image, np.float64)))
    if image.mode == "LAB":
        # Pillow converts CIELAB to nothing else; its first channel is the lightness.
        return image.getchannel("L")
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bit(values: NDArray[np.float64]) -> Gray:
    """Values of 1, 8, 10, 12, 14, 16 or 32 bits or of [0, 1] as 0-255, by the smallest range that holds them all."""
    values = np.nan_to_num(values, posinf=0, neginf=0)
    values = values - min(float(values.min(initial=0)), 0)
    top = float(values.max(initial=0))
    full = next((limit for limit in (1, 255, 1023, 4095, 16383, 65535) if top <= limit), top)
    return np.clip(values * (255 / full), 0, 255).astype(np.uint8)


def _on_paper(image: Image.Image) -> Image.Image:
    opaque = np.asarray(image.getchannel("A")) > 127
    drawn = np.asarray(image.convert("L"))[opaque]
    paper = 0 if drawn.size and drawn.mean() >= 128 and not opaque.all() else 255
    ground = Image.new("RGBA", image.size, (paper, paper, paper, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def to_gray(image: Image.Image, mix: Mix | None) -> Gray:
    """An ``L`` or ``RGB`` picture as gray of shape ``(height, width)``, colours mixed as `best_mix` said."""
    if image.mode == "RGB":
        image = image.convert("L", None if mix is None else (*mix, 0))
    return np.asarray(image)


def best_mix(image: Image.Image) -> Mix | None:
    """The mix of colours in which the ink stands out best, so that a blue pen is as dark as a black one.

    It is the direction from the colour of the surroundings to that of the pixels that differ most from them. None
    where all colours are gray, or one.
    """
    if image.mode != "RGB":
        return None
    small = shrunk(image, _COLOURS)
    around = small.resize((8, 8), Image.Resampling.BOX).resize(small.size)
    apart = (np.asarray(small, np.float32) - np.asarray(around, np.float32)).reshape(-1, 3)
    lightness = apart @ np.ones(3, np.float32)
    # Strokes are narrow: their cubes outweigh those of the paper beside them, whichever of the two is darker.
    sign = np.sign(lightness @ lightness**2)
    weights = np.maximum(sign * (np.maximum(sign * lightness, 0) ** 2 @ apart), 0)
    total = float(weights.sum())
    if total <= 0:
        return None
    return float(weights[0]) / total, float(weights[1]) / total, float(weights[2]) / total


def find_ink(gray: Gray, light: bool | None = None, stroke: float = STROKE, coarse_side: int = COARSE) -> Ink:
    """Measure the ink in a picture of any size.

    The paper is the closing of the picture by a square wider than a stroke (what is dark and narrow is filled with
    what is around it), on a small copy. Ink is what is darker than the paper, as a share of the paper's gray, so
    that a shadow across the picture changes neither.

    Args:
        gray: shape ``(height, width)``.
        light: whether the ink is lighter than the paper; None to find out.
        stroke: a stroke is narrower than this share of the longer side, in (0, 1).
        coarse_side: longer side in pixels of the small copy, so that a stroke has at least one.
    """
    coarse = gray if max(gray.shape) <= coarse_side else np.asarray(shrunk(Image.fromarray(gray), coarse_side))
    light = _is_light(coarse) if light is None else light
    if light:
        gray, coarse = ~gray, ~coarse
    share = _share(gray, _paper(gray, coarse, round(stroke * max(coarse.shape))))
    every = max(1, math.isqrt(gray.size // _SAMPLE))
    sample = share[::every, ::every]
    grain = np.median(sample)
    spread = 1.4826 * float(np.median(np.abs(sample - grain)))
    share -= grain
    strength = share.clip(0, 255, out=share).astype(np.uint8)
    faint = max(_FAINT, 4 * spread)
    return Ink(strength, *levels(strength, faint), faint, light)


def levels(strength: Gray, faint: float) -> tuple[float, float]:
    """``high`` and ``low`` of an `Ink` for strengths of any shape, of which those up to ``faint`` are paper."""
    counts = _histogram(strength)
    counts[: int(faint) + 1] = 0
    high = max(faint, _otsu(counts)[0]) if counts.any() else 255.0
    return high, max(faint, _WEAK * high)


def _histogram(gray: Gray) -> NDArray[np.intp]:
    """Return how many pixels have each value, shape ``(256,)``."""
    flat = gray.ravel()
    counts = np.zeros(256, np.intp)
    # `numpy.bincount` makes eight bytes of each pixel: 100 MB for a page of 13 megapixels, unless it is given parts.
    for start in range(0, flat.size, _PART):
        counts += np.bincount(flat[start : start + _PART], minlength=256)
    return counts


def _share(gray: Gray, paper: Gray | np.float32) -> NDArray[np.float32]:
    """How much darker than the paper, 255 times as a share of the paper's gray."""
    # One array of floats as large as the picture, and no second one: a page of 13 megapixels has 52 MB in each.
    paper = np.maximum(paper, _DARKEST_PAPER)
    share: NDArray[np.float32] = np.subtract(paper, gray, dtype=np.float32)
    share /= paper
    share *= 255
    return share


def _paper(gray: Gray, coarse: Gray, window: int) -> Gray | np.float32:
    """The gray of the paper at each pixel (or of all, as one value), where the ink is dark."""
    counts = _histogram(gray)
    split, explained = _otsu(counts)
    two_levels = explained > _TWO_LEVELS
    # Most pictures of two levels have no ink along their border, and need no closing.
    closed = None if two_levels and not _along_border(coarse, split) else _closed(coarse, max(3, window))
    # What is dark along the border and wider than ink is a shadow with a sharp edge.
    if closed is None or (two_levels and not _along_border(closed, split)):
        # Strokes of any width stay ink here, such as those of a bold digit that fills its picture.
        above = counts[split + 1 :].cumsum()
        middle = above.searchsorted([(above[-1] + 1) // 2, above[-1] // 2 + 1])
        return np.float32(split + 1 + middle.mean())
    return resized(closed, gray.shape)


def _along_border(gray: Gray, split: int) -> bool:
    """Whether as much of the border as a shadow takes is as dark as ``split``."""
    return float(np.mean(_ring(gray) <= split)) >= _SHADOW


def _ring(gray: Gray) -> Gray:
    """The pixels along the border."""
    return np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])


def resized(gray: Gray, shape: tuple[int, int]) -> Gray:
    """``gray`` brought to another shape, bilinearly."""
    if gray.shape == shape:
        return gray
    return np.asarray(Image.fromarray(gray).resize(shape[::-1], Image.Resampling.BILINEAR))


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """``image`` with a longer side of at most ``side``, and more than half of it, by the mean over whole squares."""
    factor = -(-max(image.size) // side)
    return image.reduce(factor) if factor > 1 else image


def _is_light(gray: Gray) -> bool:
    """Whether the ink is lighter than the paper.

    Two signs are added. Strokes are narrow, so around them the ink differs more from the mean than the paper does:
    the skewness of the differences. And along the border there is more paper than ink, where it is even: this
    decides for bold digits that fill their picture.
    """
    values = gray.astype(np.float32)
    image = Image.fromarray(values)
    side = max(3, min(gray.shape) // 6)
    around = np.asarray(image.resize((side, side), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC))
    apart = values - around
    # Not `apart**3`: numpy takes a hundred times as long for a power of 3 as for two products.
    cubes = apart * apart * apart
    total = float(np.abs(cubes).sum())
    skewness = float(cubes.sum()) / total if total else 0.0
    ring = _ring(gray)
    low, high = float(gray.min()), float(gray.max())
    third = 0.35 * (high - low)
    border = int(np.count_nonzero(ring <= low + third) - np.count_nonzero(ring >= high - third)) / ring.size
    evidence = skewness + 0.6 * border
    if 0 < evidence <= _CLEARLY:
        return _otsu(_histogram(gray))[1] > _TWO_LEVELS
    return evidence > 0


def _closed(gray: Gray, window: int) -> Gray:
    """Grey closing by a square of ``window`` pixels: the darkest of the brightest around each pixel."""
    return _extreme(brightest(gray, window), window, np.minimum, 255)


def brightest(gray: Gray, window: int) -> Gray:
    """The largest value in the square of about ``window`` pixels around each pixel of the picture."""
    return _extreme(gray, window, np.maximum, 0)


def _extreme(gray: Gray, window: int, pick: np.ufunc, outside: int) -> Gray:
    """What ``pick`` takes of the square around each pixel; ``outside`` is what it never takes."""
    half = window // 2
    height, width = gray.shape
    padded = np.full((height + 2 * half, width + 2 * half), outside, np.uint8)
    padded[half : half + height, half : half + width] = gray
    reach = 1
    # Two windows that overlap are one longer window: the length doubles each time.
    while reach < 2 * half + 1:
        step = min(reach, 2 * half + 1 - reach)
        padded = pick(padded[:-step], padded[step:])
        padded = pick(padded[:, :-step], padded[:, step:])
        reach += step
    return padded


def _otsu(counts: NDArray[np.intp]) -> tuple[int, float]:
    """Split a histogram of 256 values into two groups of least variance (N. Otsu 1979).

    Returns:
        The largest value of the lower group, and the share of the variance that the split explains, in [0, 1].
    """
    weights = counts.astype(np.float64)
    below, mass = weights.cumsum(), (weights * _VALUES).cumsum()
    total, mean = below[-1], mass[-1] / below[-1]
    between = (mass - mean * below) ** 2 / np.maximum(below * (total - below), 1)
    split = int(between.argmax())
    variance = float(weights @ (_VALUES - mean) ** 2) / total
    return split, float(between[split]) / variance if variance else 0.0
