"""Corruption: paper that is not blank, grain and lines on training pictures.

A network that never saw such pictures takes a grey background, or a stroke that is not part of the digit, for part of
it. Some training pictures are corrupted after the teachers have answered, which know digits on blank paper alone.
"""

import numpy as np
from edge_digits_runtime.mnist_format import SIDE

from edge_digits_train.augment.arrays import Float32, Pictures
from edge_digits_train.augment.augmentation import uniform
from edge_digits_train.augment.strokes import draw_line

_PAPER = (0.0, 160.0)
"""Grey of the paper in the middle of a picture."""
_SLOPE = (-60.0, 60.0)
"""Change of the paper's grey from there to the right edge, and to the lower one."""
_DARKEST = 220.0
"""Grey of the darkest paper."""
_GRAIN = (5.0, 50.0)
"""Standard deviation of the grain in grey levels."""
_SECOND_LINE = 0.3
"""Share of the pictures with lines that have two."""
_WIDTH = (0.8, 1.8)
"""Width of a line in pixels."""
_INK = (80.0, 255.0)
"""Grey of a line."""


def corrupt(images: Pictures, rng: np.random.Generator, share: float) -> Pictures:
    """Put lines, paper and grain on some pictures: each of the three on half of the chosen ones.

    Args:
        images: shape ``(n, 28, 28)``, 0 background, 255 ink; left as it is.
        rng: the same generator state gives the same result.
        share: share of the pictures that are chosen, in [0, 1].

    Returns:
        A new array of the same shape and type.
    """
    result = images.copy()
    chosen = np.flatnonzero(rng.random(len(images)) < share)
    pixels = images[chosen].astype(np.float32)
    for add in (_add_lines, _add_paper, _add_grain):
        selected = rng.random(len(chosen)) < 0.5
        pixels[selected] = add(pixels[selected], rng)
    result[chosen] = (np.clip(pixels, 0, 255) + 0.5).astype(np.uint8)
    return result


def _add_lines(pixels: Float32, rng: np.random.Generator) -> Float32:
    """Draw a line or two, each from one edge to the opposite one."""
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


def _add_paper(pixels: Float32, rng: np.random.Generator) -> Float32:
    """Put the ink on grey paper that is lighter to one side; it adds its full darkness, up to black, or less."""
    count = len(pixels)
    place = np.linspace(-1, 1, SIDE, dtype=np.float32)
    grey = uniform(rng, *_PAPER, count)
    grey = grey + uniform(rng, *_SLOPE, count) * place + uniform(rng, *_SLOPE, count) * place[:, None]
    np.clip(grey, 0, _DARKEST, out=grey)
    darkened: Float32 = grey + pixels * (1 - uniform(rng, 0, 1, count) * grey / 255)
    return np.minimum(darkened, 255)


def _add_grain(pixels: Float32, rng: np.random.Generator) -> Float32:
    """Add normally distributed noise, equally strong all over a picture."""
    return pixels + uniform(rng, *_GRAIN, len(pixels)) * rng.standard_normal(pixels.shape, dtype=np.float32)
