"""Written forms that MNIST, collected in the United States, hardly has.

They are a 1 with an upstroke, a line from its top down to the left that may be as long as the stem, and now and then a
foot; a 4 whose stem ends just below the bar; a 7 with a bar through its stem; a 9 whose stem turns to the left at its
end. All are made from MNIST's own pictures, with a pen as wide as theirs, so that a network learns the form and not the
pen of a second data set.
"""

from collections.abc import Callable, Mapping

import numpy as np
from edge_digits_runtime.image.frame import frame
from edge_digits_runtime.mnist_format import SIDE
from numpy.typing import NDArray

from edge_digits_train.augment.arrays import Floats, Pictures

_INK = 128
"""A pixel at least this dark belongs to the stroke."""
_MARGIN = 12
"""Pixels around a picture while it is drawn on: the longest upstroke ends outside."""
_HOOK = ((0.1, 0.25), (0.0, 0.1), (0.05, 0.3), (0.0, 0.2))
"""Limits, in heights of the 9: from the foot to the left and down, from there further to the left and back up."""
_SHORTEST_STEM = 4
"""Pixels below the bar of a 4; a stem shorter than that is left as it is."""
_FOOT = 0.25
"""Share of the 1s with an upstroke that get a foot."""

Points = tuple[Floats, Floats]


def add_forms(
    images: Pictures, labels: NDArray[np.uint8], rng: np.random.Generator, shares: Mapping[int, float]
) -> Pictures:
    """Give some pictures of 1, 4, 7 and 9 their other form.

    Args:
        images: shape ``(n, 28, 28)``, 0 background, 255 ink; left as it is.
        labels: shape ``(n,)``.
        rng: the same generator state gives the same result.
        shares: by digit, the share of its pictures in [0, 1]; a digit that is not named keeps its form.

    Returns:
        A new array of the same shape and type.
    """
    result = images.copy()
    for digit, draw in _FORMS.items():
        chosen = np.flatnonzero((labels == digit) & (rng.random(len(labels)) < shares.get(digit, 0)))
        result[chosen] = draw(images[chosen], rng)
    return result


def upstroke(images: Pictures, rng: np.random.Generator) -> Pictures:
    """Draw a line from the top of each 1 down to its left, and a foot under some."""
    count = len(images)
    wide = _widened(images)
    top, bottom = _rows(wide)
    height, head, foot = bottom - top, _middle(wide, top + 1), _middle(wide, bottom - 1)
    lean = np.arctan2(head - foot, np.maximum(height, 1))
    # Measured from the horizontal. Flatter than 30 degrees it would be the head of a 7, steeper than 65 it would lie on
    # the stem. Where the stem leans to the right, the upstroke leans with it, so that the two stay apart.
    angle = np.maximum(np.deg2rad(rng.uniform(30, 65, count)) - np.maximum(lean, 0), np.deg2rad(30))
    length = rng.uniform(0.3, 1.4, count) * height
    pen = _pen(wide, rng)
    across, down = np.cos(angle), np.sin(angle)
    # Written in one go with the stem, an upstroke is bowed: its middle lies above the straight line.
    bow = rng.uniform(0, 0.12, count)
    bend = (head - length * (across / 2 + bow * down), top + 1 + length * (down / 2 - bow * across))
    end = (head - length * across, top + 1 + length * down)
    drawn = draw_line(draw_line(wide, (head, top + 1.0), bend, pen), bend, end, pen)
    left, right = rng.uniform(0.1, 0.35, (2, count)) * height
    footed = np.flatnonzero(rng.random(count) < _FOOT)
    base = bottom - pen / 2 + 0.5
    drawn[footed] = draw_line(drawn, (foot - left, base), (foot + right, base), pen)[footed]
    # A stem that leans further than 25 degrees would look like a 7 with an upstroke: the picture stays as it was.
    return _fitted(images, drawn, np.less(np.abs(lean), np.deg2rad(25)))


def shorten(images: Pictures, rng: np.random.Generator) -> Pictures:
    """End the stem of each 4 soon below the bar."""
    top, bottom = _rows(images)
    place = np.arange(SIDE)
    inked = (images >= _INK).sum(axis=2)
    # The bar is the row with the most ink in the lower two thirds.
    inked[place < (top + (bottom - top) / 3)[:, None]] = 0
    bar = inked.argmax(axis=1)
    below = bottom - bar
    kept = bar + 1 + rng.uniform(0.35, 0.75, len(images)) * below
    drawn = np.where((place <= kept[:, None])[:, :, None], images, np.uint8(0))
    return _fitted(images, drawn, below >= _SHORTEST_STEM)


def cross(images: Pictures, rng: np.random.Generator) -> Pictures:
    """Draw a short bar through the stem of each 7."""
    top, bottom = _rows(images)
    y = np.rint(top + rng.uniform(0.4, 0.75, len(images)) * (bottom - top)).astype(np.intp)
    x = _middle(images, y)
    left, right = rng.uniform(2.5, 6.5, (2, len(images)))
    # Most writers draw the bar level or rising to the right.
    rise = rng.uniform(-0.15, 0.5, len(images))
    return draw_line(images, (x - left, y + rise * left), (x + right, y - rise * right), _pen(images, rng))


def hook(images: Pictures, rng: np.random.Generator) -> Pictures:
    """Turn the stem of each 9 to the left at its end, level or back upwards."""
    wide = _widened(images)
    top, bottom = _rows(wide)
    height, pen = bottom - top, _pen(wide, rng)
    foot = (_middle(wide, bottom - 1), bottom - 1.0)
    across, down, on, back = (rng.uniform(*limits, len(images)) * height for limits in _HOOK)
    turn = (foot[0] - across, foot[1] + down)
    end = (turn[0] - on, turn[1] - back)
    drawn = draw_line(draw_line(wide, foot, turn, pen), turn, end, pen)
    return _fitted(images, drawn, height > 0)


_FORMS: Mapping[int, Callable[[Pictures, np.random.Generator], Pictures]] = {1: upstroke, 4: shorten, 7: cross, 9: hook}


def _widened(images: Pictures) -> Pictures:
    """Return the pictures with room around them, for strokes that end outside."""
    return np.pad(images, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))


def _fitted(images: Pictures, drawn: Pictures, chosen: NDArray[np.bool_]) -> Pictures:
    """Return ``drawn`` in the frame of MNIST where ``chosen`` and not blank, ``images`` elsewhere."""
    result = images.copy()
    for index in np.flatnonzero(chosen & drawn.any(axis=(1, 2))):
        result[index] = frame(drawn[index])
    return result


def _rows(images: Pictures) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and last row with ink of each picture; the first and last of all where there is none."""
    inked = images.max(axis=2) >= _INK
    return inked.argmax(axis=1), inked.shape[1] - 1 - inked[:, ::-1].argmax(axis=1)


def _middle(images: Pictures, rows: NDArray[np.intp]) -> Floats:
    """Return the mean column of the ink in one row of each picture; the middle column where the row is empty."""
    side = images.shape[2]
    ink = images[np.arange(len(images)), np.clip(rows, 0, side - 1)].astype(np.float64)
    total = ink.sum(axis=1)
    mean: Floats = ink @ np.arange(side) / np.maximum(total, 1)
    return np.where(total > 0, mean, (side - 1) / 2)


def _pen(images: Pictures, rng: np.random.Generator) -> Floats:
    """Draw a width in pixels for each picture, about that of its strokes."""
    # The width of a stroke is its area divided by the length of its middle line, which is about half its outline.
    inked = images >= _INK
    outline = (inked[:, 1:] != inked[:, :-1]).sum(axis=(1, 2)) + (inked[:, :, 1:] != inked[:, :, :-1]).sum(axis=(1, 2))
    width = np.clip(2.2 * inked.sum(axis=(1, 2)) / np.maximum(outline, 1), 1.2, 4.0)
    scaled: Floats = width * rng.uniform(0.8, 1.1, len(images))
    return scaled


def draw_line(images: Pictures, start: Points, end: Points, width: Floats) -> Pictures:
    """Draw a line on each picture in full ink.

    Args:
        images: shape ``(n, height, width)``; left as they are.
        start: x and y of each line's start in pixels, two arrays of shape ``(n,)``.
        end: the same of its end.
        width: of each line in pixels, shape ``(n,)``.
    """
    y, x = (axis[None].astype(np.float64) for axis in np.mgrid[0 : images.shape[1], 0 : images.shape[2]])
    (x0, y0), (x1, y1) = (tuple(value[:, None, None] for value in point) for point in (start, end))
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / np.maximum(dx**2 + dy**2, 1e-9), 0, 1)
    distance = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
    line = np.clip(width[:, None, None] / 2 + 0.5 - distance, 0, 1) * 255
    drawn: Pictures = (line + 0.5).astype(np.uint8)
    return np.maximum(images, drawn, dtype=np.uint8)
