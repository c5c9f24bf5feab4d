"""What a picture of a digit shows besides the digit: paper that is not blank, grain, lines.

A network that never saw such pictures takes a grey ground or a stroke from elsewhere for part of the digit. They are
laid on some of the training pictures after the teachers have answered, which know digits on blank paper alone.
"""

import numpy as np
from edge_digits_runtime.mnist_format import SIDE
from numpy.typing import NDArray

from edge_digits_train.augment.augmentation import uniform
from edge_digits_train.augment.strokes import draw_line

_PAPER = (0.0, 160.0)
"""Grey of the paper in the middle of a picture."""
_SLOPE = (-60.0, 60.0)
"""By how much it changes from there to the right edge, and to the lower one."""
_DARKEST = 220.0
"""Grey that no paper passes."""
_GRAIN = (5.0, 50.0)
"""Standard deviation of the grain in grey levels."""
_SECOND_LINE = 0.3
"""Share of the pictures with a line that have two."""
_WIDTH = (0.8, 1.8)
"""Of a line in pixels."""
_INK = (80.0, 255.0)
"""Grey of a line."""

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]


def corrupt(images: Pictures, rng: np.random.Generator, share: float) -> Pictures:
    """Lay lines, paper and grain on some pictures: each of the three on half of those that are chosen.

    Args:
        images: shape ``(n, 28, 28)``, 0 background, 255 ink; left as it is.
        rng: the same generator state gives the same result.
        share: of the pictures that are chosen, in [0, 1].

    Returns:
        A new array of the same shape and type.
    """
    result = images.copy()
    chosen = np.flatnonzero(rng.random(len(images)) < share)
    pixels = images[chosen].astype(np.float32)
    for lay in (_lines, _paper, _grain):
        laid = rng.random(len(chosen)) < 0.5
        pixels[laid] = lay(pixels[laid], rng)
    result[chosen] = (np.clip(pixels, 0, 255) + 0.5).astype(np.uint8)
    return result


def _lines(pixels: Floats, rng: np.random.Generator) -> Floats:
    """A line or two, each from an edge to the one across."""
    count = len(pixels)
    blank = np.zeros((count, SIDE, SIDE), np.uint8)
    for share in (1, _SECOND_LINE):
        from_left = rng.random(count) < 0.5
        start, end = (
            (np.where(from_left, edge, place), np.where(from_left, place, edge))
            for edge, place in zip((0, SIDE - 1), rng.uniform(0, SIDE - 1, (2, count)), strict=True)
        )
        line = draw_line(blank, start, end, rng.uniform(*_WIDTH, count)) * (uniform(rng, *_INK, count) / 255)
        line[rng.random(count) >= share] = 0
        pixels = np.maximum(pixels, line)
    return pixels


def _paper(pixels: Floats, rng: np.random.Generator) -> Floats:
    """Grey paper, lighter to one side, on which ink darkens less, or as much as it can."""
    count = len(pixels)
    place = np.linspace(-1, 1, SIDE, dtype=np.float32)
    grey = uniform(rng, *_PAPER, count)
    grey = grey + uniform(rng, *_SLOPE, count) * place + uniform(rng, *_SLOPE, count) * place[:, None]
    np.clip(grey, 0, _DARKEST, out=grey)
    darkened: Floats = grey + pixels * (1 - uniform(rng, 0, 1, count) * grey / 255)
    return np.minimum(darkened, 255)


def _grain(pixels: Floats, rng: np.random.Generator) -> Floats:
    """Normally distributed, of one strength all over a picture."""
    return pixels + uniform(rng, *_GRAIN, len(pixels)) * rng.standard_normal(pixels.shape, dtype=np.float32)
