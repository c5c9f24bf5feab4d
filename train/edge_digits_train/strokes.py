"""Written forms that MNIST, collected in the United States, hardly has: the crossed 7 and the 1 with an upstroke.

Both are drawn onto MNIST's own pictures with the pen of the picture, so that a network learns the form and not a
second set's pen. A 7 keeps its label with a bar through its stem, a 1 with a line from its top down to the left.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 28
_INK = 128
"""A pixel at least this dark belongs to the stroke."""

Floats = NDArray[np.floating[Any]]
Pictures = NDArray[np.uint8]


def add_strokes(
    images: Pictures, labels: NDArray[np.uint8], rng: np.random.Generator, crossed_seven: float, upstroke_one: float
) -> Pictures:
    """Give some 7s a bar and some 1s an upstroke.

    Args:
        images: shape ``(n, 28, 28)``, 0 background, 255 ink; left as it is.
        labels: shape ``(n,)``.
        rng: the same generator state gives the same result.
        crossed_seven: share in [0, 1] of the 7s that get a bar through the stem.
        upstroke_one: share in [0, 1] of the 1s that get a line from the top down to the left; those that lean too
            far stay as they are.

    Returns:
        A new array of the same shape and type.
    """
    result = images.copy()
    for digit, share, draw in ((7, crossed_seven, cross), (1, upstroke_one, upstroke)):
        chosen = np.flatnonzero((labels == digit) & (rng.random(len(labels)) < share))
        result[chosen] = draw(images[chosen], rng)
    return result


def cross(images: Pictures, rng: np.random.Generator) -> Pictures:
    """Draw a short bar through the middle of the stem of each 7 of ``images`` ``(n, 28, 28)``."""
    top, bottom = _rows(images)
    y = np.rint(top + rng.uniform(0.45, 0.62, len(images)) * (bottom - top)).astype(np.intp)
    x = _middle(images, y)
    left, right = rng.uniform(2.5, 5.5, (2, len(images)))
    # Most writers draw it level or rising to the right.
    rise = rng.uniform(-0.15, 0.5, len(images))
    return _draw(images, (x - left, y + rise * left), (x + right, y - rise * right), rng)


def upstroke(images: Pictures, rng: np.random.Generator) -> Pictures:
    """Draw a line from the top of each 1 of ``images`` ``(n, 28, 28)`` down to its left."""
    top, bottom = _rows(images)
    height = bottom - top
    x = _middle(images, top + 1)
    length = rng.uniform(0.3, 0.6, len(images)) * height
    # From the horizontal. Flatter than 35 degrees is the head of a 7, steeper than 65 lies on the stem.
    angle = np.deg2rad(rng.uniform(35, 65, len(images)))
    # Where the stem leans to the right the upstroke leans with it, so that the two stay apart.
    lean: Floats = np.arctan2(x - _middle(images, bottom - 1), np.maximum(height, 1))
    angle = np.maximum(angle - np.maximum(lean, 0), np.deg2rad(35))
    changed = _draw(images, (x, top + 1.0), (x - length * np.cos(angle), top + 1.0 + length * np.sin(angle)), rng)
    # A stem that leans further than 25 degrees with an upstroke could as well be a 7: it stays as it was.
    slanted = np.flatnonzero(np.abs(lean) > np.deg2rad(25))
    changed = _centred(changed)
    changed[slanted] = images[slanted]
    return changed


def _rows(images: Pictures) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last row with ink of each picture; 0 and 27 where there is none."""
    inked = images.max(axis=2) >= _INK
    return inked.argmax(axis=1), SIDE - 1 - inked[:, ::-1].argmax(axis=1)


def _middle(images: Pictures, rows: NDArray[np.intp]) -> Floats:
    """Mean column of the ink in one row of each picture; the middle of the picture where the row is empty."""
    ink = images[np.arange(len(images)), np.clip(rows, 0, SIDE - 1)].astype(np.float64)
    total = ink.sum(axis=1)
    return np.where(total > 0, ink @ np.arange(SIDE) / np.maximum(total, 1), (SIDE - 1) / 2)


def _draw(
    images: Pictures, start: tuple[Floats, Floats], end: tuple[Floats, Floats], rng: np.random.Generator
) -> Pictures:
    """Add a line from ``start`` to ``end`` (x, y), about as wide as the strokes of each picture."""
    # Area over the length of its middle line, which is about half the outline, is the width of a stroke.
    inked = images >= _INK
    outline = (inked[:, 1:] != inked[:, :-1]).sum(axis=(1, 2)) + (inked[:, :, 1:] != inked[:, :, :-1]).sum(axis=(1, 2))
    width = np.clip(2.2 * inked.sum(axis=(1, 2)) / np.maximum(outline, 1), 1.2, 4.0)
    width *= rng.uniform(0.8, 1.1, len(images))
    y, x = (axis[None].astype(np.float64) for axis in np.mgrid[0:SIDE, 0:SIDE])
    (x0, y0), (x1, y1) = (tuple(value[:, None, None] for value in point) for point in (start, end))
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / np.maximum(dx**2 + dy**2, 1e-9), 0, 1)
    distance = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
    line = np.clip(width[:, None, None] / 2 + 0.5 - distance, 0, 1) * 255
    drawn: Pictures = (line + 0.5).astype(np.uint8)
    return np.maximum(images, drawn, dtype=np.uint8)


def _centred(images: Pictures) -> Pictures:
    """Shift each picture by whole pixels so that its centre of mass is nearest to (14, 14), where MNIST's are."""
    mass = np.maximum(images.sum(axis=(1, 2), dtype=np.float64), 1)
    place = np.arange(SIDE)
    result = np.zeros_like(images)
    for k, image in enumerate(images):
        shifts = []
        for axis in (0, 1):
            ink = image.sum(axis=1 - axis, dtype=np.float64)
            used = np.flatnonzero(ink)
            wanted = round(SIDE / 2 - float(ink @ place) / mass[k])
            room = (-int(used[0]), SIDE - 1 - int(used[-1])) if len(used) else (0, 0)
            shifts.append(int(np.clip(wanted, *room)))
        result[k] = np.roll(image, shifts, axis=(0, 1))
    return result
