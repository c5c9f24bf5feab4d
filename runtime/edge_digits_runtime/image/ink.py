"""Find the ink in a picture: convert any mode to gray, tell ink from paper, measure how strong the ink is."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.image.arrays import Gray

Mix = tuple[float, float, float]
"""Weights of red, green and blue in [0, 1], together 1."""

COARSE = 56
"""Longer side in pixels of the small copy that polarity and paper are judged on."""
_COLOURS = 32
"""Longer side in pixels of the small copy that colours are judged on."""
STROKE = 0.2
"""Widest stroke, as a share of the longer side; anything wider is paper (or a shadow, or the table under it)."""
_TWO_LEVELS = 0.93
"""If two levels of gray explain more than this share of the variance, the picture is a scan or a drawing, without
shadows."""
_SHADOW = 0.25
"""Smallest share of the border that a shadow on a digit takes up; a smaller one is a piece of ink beside the digit."""
_CLEARLY = 0.15
"""Largest evidence for light ink that may as well come from uneven light, unless the picture has two levels."""
_DARKEST_PAPER = 48
"""Darker paper counts as this gray. Ink is measured as a share of the light of the paper, which would amplify the noise
of darker paper."""
_FAINT = 10.0
"""Strength up to which ink cannot be told from dirt and JPEG blocks on clean paper, in [0, 255]."""
_SAMPLE = 2_000
"""About how many pixels the grain of the paper is measured on."""
_WEAK = 0.4
"""Strength of the weakest parts of a stroke, as a share of the threshold between strong and weak ink."""
_PART = 1 << 20
"""How many pixels are counted at a time."""
_VALUES = np.arange(256.0)
"""All values of a pixel."""


@dataclass(frozen=True)
class Ink:
    """The ink of a picture."""

    strength: Gray
    """Strength of the ink at each pixel, shape of the picture: 0 paper, 255 black (white, if the ink is light)."""
    high: float
    """Strength that at least one pixel of a piece of ink reaches, in (0, 255]."""
    low: float
    """Strength that all pixels of a piece of ink exceed, in (0, 255]."""
    faint: float
    """Strength up to which a pixel may be grain of the paper, in (0, 255]."""
    light: bool
    """Whether the ink is lighter than the paper."""


def to_plain(image: Image.Image, factor: int = 1) -> Image.Image:
    """Convert a picture of any mode to mode ``L`` or ``RGB``.

    Transparent parts become paper: black under light ink, else white. Values of more than 8 bits are scaled to 0-255.
    A large picture is converted a part at a time: all at once would take ten times its memory.

    Args:
        image: the picture.
        factor: how many pixels become one along each side, their mean.

    Returns:
        ``image`` itself if it is plain already and not to be reduced.
    """
    plain = image.mode in ("L", "RGB") and "transparency" not in image.info
    if plain and factor == 1:
        return image
    convert = _plain_part if not plain else lambda part: part
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        convert = _eight_bit(image)
    elif image.has_transparency_data and image.mode != "LAB":
        convert = _on_paper(image)
    rows = max(1, _PART // image.width // factor) * factor
    if rows >= image.height and factor == 1:
        return convert(image)
    result = Image.new(convert(image.crop((0, 0, 1, 1))).mode, (-(-image.width // factor), -(-image.height // factor)))
    for top, part in _parts(image, rows):
        result.paste(convert(part).reduce(factor), (0, top // factor))
    return result


def _parts(image: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    """Yield a picture in parts of so many rows, each with the number of its first row."""
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _plain_part(part: Image.Image) -> Image.Image:
    if part.mode == "LAB":
        # Pillow converts CIELAB to nothing else; its first channel is the lightness.
        return part.getchannel("L")
    return part.convert("L" if part.mode == "1" else "RGB")


def _eight_bit(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return what scales the values of a picture's parts to 0-255 by the smallest range that holds them all.

    The ranges are [0, 1], those of 8, 10, 12, 14 and 16 bits, and [0, maximum]. Where a value is negative, all are
    moved up. NaN and infinity count as 0.
    """

    def values(part: Image.Image) -> NDArray[np.float64]:
        return np.nan_to_num(np.asarray(part, np.float64), posinf=0, neginf=0)

    least, top = 0.0, 0.0
    for _, part in _parts(image, max(1, _PART // image.width)):
        found = values(part)
        least, top = min(least, float(found.min(initial=0))), max(top, float(found.max(initial=0)))
    top -= least
    full = next((limit for limit in (1, 255, 1023, 4095, 16383, 65535) if top <= limit), top)

    def convert(part: Image.Image) -> Image.Image:
        scaled = (values(part) - least) * (255 / full)
        return Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))

    return convert


def _on_paper(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return what lays the parts of a transparent picture on paper of the colour that its ink is visible on."""
    total = count = 0
    for _, part in _parts(image, max(1, _PART // image.width)):
        whole = part.convert("RGBA")
        drawn = np.asarray(whole.convert("L"))[np.asarray(whole.getchannel("A")) > 127]
        total, count = total + int(drawn.sum(dtype=np.int64)), count + drawn.size
    paper = 0 if 0 < count < image.width * image.height and total >= 128 * count else 255

    def convert(part: Image.Image) -> Image.Image:
        ground = Image.new("RGBA", part.size, (paper, paper, paper, 255))
        return Image.alpha_composite(ground, part.convert("RGBA")).convert("RGB")

    return convert


def to_gray(image: Image.Image, mix: Mix | None) -> Gray:
    """Convert an ``L`` or ``RGB`` picture to gray of shape ``(height, width)``.

    ``mix`` is what `best_mix` returned; None for the usual weights of red, green and blue.
    """
    if image.mode == "RGB":
        image = image.convert("L", None if mix is None else (*mix, 0))
    return np.asarray(image)


def best_mix(image: Image.Image) -> Mix | None:
    """Return the weights of the colours with which the ink stands out best: a blue pen becomes as dark as a black one.

    They are the direction from the colour of the surroundings to the colour of the pixels that differ most from them.

    Returns:
        None if the picture has mode ``L``, or one colour.
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

    The paper is a small copy of the picture after grey closing with a square wider than a stroke: dark and narrow parts
    are filled with their surroundings. The strength of the ink is how much darker than the paper it is, as a share of
    the paper's gray, so that a shadow across the picture does not change it.

    Args:
        gray: shape ``(height, width)``.
        light: whether the ink is lighter than the paper; None to find out.
        stroke: widest stroke, as a share of the longer side, in (0, 1).
        coarse_side: longer side in pixels of the small copy, on which a stroke should have at least one pixel.
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
    """Return ``high`` and ``low`` of an `Ink`.

    Args:
        strength: of any shape.
        faint: strength up to which a pixel is paper.
    """
    counts = _histogram(strength)
    counts[: int(faint) + 1] = 0
    high = max(faint, _otsu(counts)[0]) if counts.any() else 255.0
    return high, max(faint, _WEAK * high)


def _histogram(gray: Gray) -> NDArray[np.intp]:
    """Return how many pixels have each value, shape ``(256,)``."""
    flat = gray.ravel()
    counts = np.zeros(256, np.intp)
    # In parts, since `numpy.bincount` makes eight bytes of each pixel: 100 MB for a page of 13 megapixels.
    for start in range(0, flat.size, _PART):
        counts += np.bincount(flat[start : start + _PART], minlength=256)
    return counts


def _share(gray: Gray, paper: Gray | np.float32) -> NDArray[np.float32]:
    """Return how much darker than the paper each pixel is, as a share of the paper's gray, times 255."""
    # Only one array of floats as large as the picture is made: it takes 52 MB for a page of 13 megapixels.
    paper = np.maximum(paper, _DARKEST_PAPER)
    share: NDArray[np.float32] = np.subtract(paper, gray, dtype=np.float32)
    share /= paper
    share *= 255
    return share


def _paper(gray: Gray, coarse: Gray, window: int) -> Gray | np.float32:
    """Return the gray of the paper under dark ink, at each pixel or as one value for all.

    Args:
        gray: the picture.
        coarse: its small copy.
        window: side in pixels of the square for closing, wider than a stroke on the small copy.
    """
    counts = _histogram(gray)
    split, explained = _otsu(counts)
    two_levels = explained > _TWO_LEVELS
    # Most pictures of two levels have no ink along their border, and need no closing.
    closed = None if two_levels and not _along_border(coarse, split) else _closed(coarse, max(3, window))
    # If the border stays dark after closing, which fills ink, there is a shadow with a sharp edge.
    if closed is None or (two_levels and not _along_border(closed, split)):
        # One value for all, the median of the lighter level: a bold digit that fills its picture stays ink, too.
        above = counts[split + 1 :].cumsum()
        middle = above.searchsorted([(above[-1] + 1) // 2, above[-1] // 2 + 1])
        return np.float32(split + 1 + middle.mean())
    return resized(closed, gray.shape)


def _along_border(gray: Gray, split: int) -> bool:
    """Return whether at least a share `_SHADOW` of the border is no lighter than ``split``."""
    return float(np.mean(_ring(gray) <= split)) >= _SHADOW


def _ring(gray: Gray) -> Gray:
    """Return the pixels along the border, those of the corners twice."""
    return np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])


def resized(gray: Gray, shape: tuple[int, int]) -> Gray:
    """Return ``gray`` resized bilinearly to ``shape``, height and width."""
    if gray.shape == shape:
        return gray
    return np.asarray(Image.fromarray(gray).resize(shape[::-1], Image.Resampling.BILINEAR))


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """Reduce ``image`` by the mean over squares of pixels, so that its longer side has at most ``side`` pixels."""
    factor = -(-max(image.size) // side)
    return image.reduce(factor) if factor > 1 else image


def _is_light(gray: Gray) -> bool:
    """Return whether the ink is lighter than the paper.

    Two pieces of evidence are added. Strokes are narrow, so the ink differs more from the mean around it than the paper
    does, and the differences are skewed towards the ink. And there is more paper than ink along the border, which
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
    """Return the grey closing by a square of ``window // 2 * 2 + 1`` pixels: dark parts narrower than that vanish."""
    return _extreme(brightest(gray, window), window, np.minimum, 255)


def brightest(gray: Gray, window: int) -> Gray:
    """Return the largest value in the square of ``window // 2 * 2 + 1`` pixels around each pixel."""
    return _extreme(gray, window, np.maximum, 0)


def _extreme(gray: Gray, window: int, pick: np.ufunc, outside: int) -> Gray:
    """Return the smallest or largest value in the square around each pixel.

    Args:
        gray: the picture.
        window: about the side of the square in pixels.
        pick: `numpy.minimum` or `numpy.maximum`.
        outside: the value beyond the border, which ``pick`` never takes: 255 or 0.
    """
    half = window // 2
    height, width = gray.shape
    padded = np.full((height + 2 * half, width + 2 * half), outside, np.uint8)
    padded[half : half + height, half : half + width] = gray
    reach = 1
    # Two overlapping windows make a longer one, so the length doubles each time.
    while reach < 2 * half + 1:
        step = min(reach, 2 * half + 1 - reach)
        padded = pick(padded[:-step], padded[step:])
        padded = pick(padded[:, :-step], padded[:, step:])
        reach += step
    return padded


def _otsu(counts: NDArray[np.intp]) -> tuple[int, float]:
    """Split a histogram of 256 values into the two groups that vary least in themselves (N. Otsu 1979).

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
