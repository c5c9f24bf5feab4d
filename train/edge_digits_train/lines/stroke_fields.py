"""Digits as distances from the middle lines of their strokes, so that they can be written with any pen.

A picture of a digit is set upright and thinned to lines one pixel wide; every pixel of the result, a *field*, holds its
distance from the nearest line. Drawing with a pen of some width is then a threshold on the distance. Numpy alone, many
pictures at a time.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROWS, COLUMNS = 32, 40
"""Size of a field, in units."""
TALL = 24
"""Height of a digit in a field, in units."""
PER_UNIT = 16
"""Grey levels of a field per unit of distance; 255 means 15.9 units or more."""
_FINE = 2
"""Pixels per unit while a picture is thinned."""
_REACH = 16
"""Pixels to each side in which the nearest line is sought."""

Pictures = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


def upright(image: Pictures, deslant: bool = True) -> tuple[Pictures, float] | None:
    """Scale a picture of a character into the frame of a field, at twice its size.

    Args:
        image: uint8, any size, light ink on black.
        deslant: whether to take the slant out, by the second moments of the ink.

    Returns:
        The picture, shape ``(64, 80)``, and the slant that was taken out: pixels sideways for each pixel up. None where
        nothing is drawn.
    """
    inked = image >= 100
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if len(rows) < 2:
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    slant = 0.0
    if deslant:
        weights = image[top:bottom, left:right].astype(np.float64)
        total = weights.sum()
        y, x = np.arange(bottom - top), np.arange(right - left)
        mean_y, mean_x = (weights.sum(1) @ y) / total, (weights.sum(0) @ x) / total
        spread = (weights.sum(1) @ (y - mean_y) ** 2) / total
        slant = float(np.clip(-((y - mean_y) @ weights @ (x - mean_x)) / total / max(spread, 1e-6), -0.8, 0.8))
    wide = right - left
    scale = min(TALL * _FINE / (bottom - top), (COLUMNS - 8) * _FINE / wide)
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    step = 1 / scale
    size = (COLUMNS * _FINE, ROWS * _FINE)
    # Where a pixel of the result comes from; going up, the source moves to the right by the slant.
    matrix = (
        step, -slant * step, middle_x - step * (size[0] / 2) + slant * step * (size[1] / 2),
        0.0, step, middle_y - step * (size[1] / 2),
    )  # fmt: skip
    drawn = Image.fromarray(image).transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(drawn), slant


def thin(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin strokes to lines one pixel wide, after T. Y. Zhang and C. Y. Suen 1984.

    Args:
        inked: where ink is, shape ``(n, rows, columns)``.
    """
    image = np.pad(inked, ((0, 0), (1, 1), (1, 1))).astype(np.uint8)
    inner = np.s_[:, 1:-1, 1:-1]
    shifts = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    high, wide = inked.shape[1:]
    for _ in range(20):
        changed = False
        for turn in (0, 1):
            p = [image[:, 1 + dy : 1 + dy + high, 1 + dx : 1 + dx + wide] for dy, dx in shifts]
            count = p[0] + p[1] + p[2] + p[3] + p[4] + p[5] + p[6] + p[7]
            steps = sum(((a == 0) & (b == 1)).view(np.uint8) for a, b in zip(p, p[1:] + p[:1], strict=True))
            if turn == 0:
                open_side = (p[0] & p[2] & p[4]) | (p[2] & p[4] & p[6])
            else:
                open_side = (p[0] & p[2] & p[6]) | (p[0] & p[4] & p[6])
            gone = (image[inner] == 1) & (count >= 2) & (count <= 6) & (steps == 1) & (open_side == 0)
            if gone.any():
                changed = True
                image[inner] &= ~gone.view(np.bool_)
        if not changed:
            break
    return image[inner].astype(bool)


def distances(lines: NDArray[np.bool_]) -> Pictures:
    """Return the fields ``(n, 32, 40)`` of pictures of thin lines, ``(n, 64, 80)``."""
    count, high, wide = lines.shape
    far = 40
    up = np.full((count, high, wide), far, np.int16)
    run = np.full((count, wide), far, np.int16)
    for row in range(high):
        run = np.where(lines[:, row], 0, np.minimum(run + 1, far)).astype(np.int16)
        up[:, row] = run
    run[:] = far
    for row in range(high - 1, -1, -1):
        run = np.where(lines[:, row], 0, np.minimum(run + 1, far)).astype(np.int16)
        np.minimum(up[:, row], run, out=up[:, row])
    square = np.pad(up.astype(np.int32) ** 2, ((0, 0), (0, 0), (_REACH, _REACH)), constant_values=far * far)
    nearest = square[:, :, _REACH : _REACH + wide].copy()
    for shift in range(1, _REACH + 1):
        for start in (_REACH - shift, _REACH + shift):
            np.minimum(nearest, square[:, :, start : start + wide] + shift * shift, out=nearest)
    fine = np.sqrt(nearest.astype(np.float32))
    coarse = fine.reshape(count, ROWS, _FINE, COLUMNS, _FINE).mean(axis=(2, 4)) / _FINE
    fields: Pictures = np.minimum(coarse * PER_UNIT + 0.5, 255).astype(np.uint8)
    return fields


def of_pictures(
    images: Sequence[Pictures] | Pictures, deslant: bool = True, thickest: float = 5.5
) -> tuple[Pictures, NDArray[np.intp]]:
    """Return the fields of pictures of characters.

    A blank picture is left out, and one whose strokes are so thick that its loops may be closed.

    Args:
        images: uint8, any sizes, light ink on black.
        deslant: as in `upright`.
        thickest: largest mean width of the strokes, in units.

    Returns:
        The fields ``(m, 32, 40)``, and the indices of the pictures that they are of.
    """
    fields: list[Pictures] = [np.zeros((0, ROWS, COLUMNS), np.uint8)]
    kept = [np.zeros(0, np.intp)]
    for start in range(0, len(images), 128):
        fine, numbers = [], []
        for number, image in enumerate(images[start : start + 128], start):
            found = upright(np.ascontiguousarray(image), deslant)
            if found is not None:
                fine.append(found[0] >= 128)
                numbers.append(number)
        if not fine:
            continue
        inked = np.stack(fine)
        lines = thin(inked)
        area, length = inked.sum((1, 2)), lines.sum((1, 2))
        good = (length > 12) & (area / np.maximum(length, 1) <= thickest * _FINE)
        fields.append(distances(lines[good]))
        kept.append(np.array(numbers)[good])
    return np.concatenate(fields), np.concatenate(kept)


def of_strokes(strokes: Sequence[Floats]) -> Pictures:
    """Return the field of strokes.

    Args:
        strokes: the points of each, shape ``(n, 2)``: x and y in heights of a digit, y downwards.
    """
    points = np.concatenate(strokes)
    middle = (points.max(0) + points.min(0)) / 2
    high = max(points[:, 1].max() - points[:, 1].min(), 1e-3)
    scale = min(TALL / high, (COLUMNS - 8) / max(points[:, 0].max() - points[:, 0].min(), 1e-3))
    centre = np.array([COLUMNS / 2, ROWS / 2])
    starts = np.concatenate([(s[:-1] - middle) * scale for s in strokes]) + centre
    ends = np.concatenate([(s[1:] - middle) * scale for s in strokes]) + centre
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].reshape(2, -1, 1) + 0.5
    nearest = segment_distance(x, y, starts, ends).min(1).reshape(ROWS, COLUMNS)
    field: Pictures = np.minimum(nearest * PER_UNIT + 0.5, 255).astype(np.uint8)
    return field


def segment_distance(x: Floats, y: Floats, starts: Floats, ends: Floats) -> Floats:
    """Return the distance of points from line segments.

    Args:
        x: of the points, shape ``(n, 1)``.
        y: likewise.
        starts: of the segments, shape ``(m, 2)``.
        ends: likewise.

    Returns:
        Shape ``(n, m)``.
    """
    dx, dy = (ends - starts).T
    x, y = x - starts[:, 0], y - starts[:, 1]
    along = np.clip((x * dx + y * dy) / np.maximum(dx * dx + dy * dy, 1e-9), 0, 1)
    distance: Floats = np.hypot(x - along * dx, y - along * dy)
    return distance


def extents(fields: Pictures) -> NDArray[np.int8]:
    """Return the first and the last column, and the first and the last row, that a line runs through: ``(n, 4)``."""
    columns = np.less(fields.min(axis=1), PER_UNIT)
    rows = np.less(fields.min(axis=2), PER_UNIT)
    result = [
        columns.argmax(1),
        COLUMNS - 1 - columns[:, ::-1].argmax(1),
        rows.argmax(1),
        ROWS - 1 - rows[:, ::-1].argmax(1),
    ]
    return np.stack(result, 1).astype(np.int8)
