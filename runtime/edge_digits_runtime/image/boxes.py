"""Remove printed boxes and tables from a mask of ink."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Ints, Mask
from edge_digits_runtime.image.components import Components
from edge_digits_runtime.image.ruling import filled_runs, lines_through, runs_on, thin_runs

SMALLEST_BOX = 12
"""Smallest width and height of a printed box, in pixels."""
_DENSE = 0.65
"""A piece of ink that fills more than this share of the rectangle around it is no printed box."""
_LEVEL = 0.6
"""Smallest share of the width of a box along which a line of it is visible."""
_MOST_LEVELS = 100
"""Largest number of level lines in a table. In noise and hatching a line can be found anywhere."""
_WALL = 0.6
"""Smallest share of the distance between two lines along which a wall between them is visible."""
_ENDS = 0.15
"""Largest gap between a wall and the line that it ends at, as a share of the distance between the two lines."""
_THICK = 0.25
"""Twice the thickness of a line is at most this share of the distance to the next line; a pen is seldom that thin."""
_INNER = 0.3
"""Smallest height of what is written in a box, as a share of the height of the box."""
_LARGE = 1.8
"""A piece of ink more than this many times as large as the median piece may be a box although nothing is in it."""
_ALIKE = 0.2
"""A piece of ink whose sides differ by less than this share from those of a box may be a box although nothing is in
it."""


def without_boxes(mask: Mask, pieces: Components) -> Mask:
    """Return the mask without printed boxes and tables. A digit may touch their lines.

    A box or table is one piece of ink that has level lines above each other and upright walls from each line to the
    next. Ruling, which reaches the border of the picture, is left to
    `edge_digits_runtime.image.ruling.without_lines`.

    Args:
        mask: the ink, shape ``(height, width)``. It is not changed.
        pieces: the components of the mask, or of the same mask with fainter ink, in which a pale line has fewer gaps.

    Returns:
        ``mask`` itself if there are no boxes, else a copy.
    """
    if len(pieces) < 2:
        return mask
    height, width = pieces.shape
    left, top, right, bottom = pieces.boxes.T
    wide, high = right - left, bottom - top
    possible = (left > 0) & (top > 0) & (right < width) & (bottom < height) & (np.minimum(wide, high) >= SMALLEST_BOX)
    possible &= pieces.areas < _DENSE * wide * high
    if not possible.any():
        return mask
    sizes = np.maximum(wide, high)
    likely = _holding(pieces, possible) | (possible & (sizes > _LARGE * np.median(sizes[possible])))
    grids = _grids(pieces, likely)
    if not grids:
        return mask
    sides = np.stack([wide, high], axis=1).astype(np.float64)
    alike = np.zeros(len(pieces), np.bool_)
    # Grid by grid: all pairs of pieces and grids need not fit into the memory of a small device.
    for k in grids:
        alike |= np.abs(sides[k] / sides - 1).max(axis=1) < _ALIKE
    grids |= _grids(pieces, possible & ~likely & alike)
    result = mask.copy()
    for k, grid in grids.items():
        result[top[k] : bottom[k], left[k] : right[k]] &= ~grid
    return result


def _holding(pieces: Components, possible: Mask) -> Mask:
    """Return which of the ``possible`` pieces hold another piece at least `_INNER` times as high, shape ``(n,)``."""
    left, top, right, bottom = pieces.boxes.T
    high = bottom - top
    result = np.zeros(len(pieces), np.bool_)
    for k in np.flatnonzero(possible):
        held = (left > left[k]) & (top > top[k]) & (right < right[k]) & (bottom < bottom[k])
        result[k] = bool((held & (high >= _INNER * high[k])).any())
    return result


def _grids(pieces: Components, tried: Mask) -> dict[int, Mask]:
    """Return the lines and walls of each of the ``tried`` pieces that is a box, by its number.

    Each mask has the shape of the piece's box.
    """
    grids = {k: _grid(pieces.alone(k)) for k in np.flatnonzero(tried).tolist()}
    return {k: grid for k, grid in grids.items() if grid is not None}


def _grid(ink: Mask) -> Mask | None:
    """Return the lines and walls in the ``ink`` of one piece, a mask of the same shape; None if it is no box."""
    # In a box most runs of ink along a row or column go across a line: their length is its thickness.
    usual = max(float(np.median(thin_runs(each, each.shape[1])[1])) for each in (ink, ink.T))
    thickness = max(3, round(2 * usual))
    middles, lengths, places = thin_runs(ink.T, thickness)
    levels = lines_through(middles, places, ink.shape[1], thickness, _LEVEL)
    if len(levels) > _MOST_LEVELS:
        return None
    levels.sort(key=lambda level: float(level(places).mean()))
    on_level = np.zeros(len(middles), np.bool_)
    for level in levels:
        on_level |= runs_on(level, middles, places, thickness)
    lines = filled_runs(middles[on_level], lengths[on_level], places[on_level], ink.T.shape).T
    middles, lengths, places = thin_runs(ink, thickness)
    on_wall = np.zeros(len(middles), np.bool_)
    most = 0
    for upper, lower in pairwise(levels):
        walls = _walls(middles, places, upper(middles), lower(middles), thickness)
        most = max(most, len(walls))
        for wall in walls:
            on_wall[wall] = True
    return lines | filled_runs(middles[on_wall], lengths[on_wall], places[on_wall], ink.shape) if most > 1 else None


def _walls(
    x: NDArray[np.float64], y: Ints, top: NDArray[np.float64], bottom: NDArray[np.float64], thickness: int
) -> list[Ints]:
    """Find the walls between two lines.

    Args:
        x: middles of runs of ink along the rows, in pixels from the left.
        y: their rows.
        top: height of the upper line at each ``x``.
        bottom: height of the lower line at each ``x``.
        thickness: the largest of a wall, in pixels.

    Returns:
        For each wall the indices of its runs.
    """
    between = np.flatnonzero((y > top) & (y < bottom))
    if not len(between):
        return []
    high = int(np.median((bottom - top)[between]))
    if thickness > _THICK * high:
        return []
    # Stretch each place between the two lines to one height, as if both lines were level.
    down = ((y - top) / (bottom - top) * high)[between].astype(np.intp)
    order = np.argsort(down, kind="stable")
    between, down = between[order], down[order]
    walls = []
    for wall in lines_through(x[between], down, high, thickness, _WALL):
        near = runs_on(wall, x[between], down, thickness)
        # A 1 that touches a line does not reach the other one.
        if down[near].min() <= _ENDS * high and down[near].max() >= (1 - _ENDS) * high:
            walls.append(between[near])
    return walls
