"""Take printed boxes and tables out of a mask of ink."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Ints, Mask
from edge_digits_runtime.image.components import Components
from edge_digits_runtime.image.ruling import filled_runs, lines_through, runs_on, thin_runs

SMALLEST_BOX = 12
"""Boxes are at least this many pixels wide and high."""
_DENSE = 0.65
"""Boxes have less ink than this share of the rectangle around them."""
_LEVEL = 0.6
"""Share of the width of boxes on which one of their lines is seen."""
_MOST_LEVELS = 100
"""A table has at most so many lines one above the other. Noise and hatching can have any number."""
_WALL, _ENDS = 0.6, 0.15
"""A wall is seen on this share of the way from one line to the next, and closer than that share to both."""
_THICK = 0.25
"""A line is thinner than half of this share of the way to the next one; a pen's strokes seldom are."""
_INNER = 0.3
"""What stands in a box is at least this high, as a share of the height of the box."""
_LARGE = 1.8
"""A piece this many times as large as the one in the middle may be boxes whatever stands in it."""
_ALIKE = 0.2
"""And any piece may, if its sides differ by less than this share from those of a piece that is."""


def without_boxes(mask: Mask, pieces: Components) -> Mask:
    """The mask without printed boxes and tables, whose lines a digit may touch.

    Boxes are a piece of ink with lines, one above the other, and walls that go from one line to the next. Ruling,
    which goes on to the border, is left to `edge_digits_runtime.image.ruling.without_lines`.

    Args:
        mask: shape ``(height, width)``; it is not changed.
        pieces: its components, or those of the same mask with fainter ink, in which a pale line is less broken.
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
    """Which of the ``possible`` pieces have another one inside of their rectangle that is not small beside them."""
    left, top, right, bottom = pieces.boxes.T
    high = bottom - top
    result = np.zeros(len(pieces), np.bool_)
    for k in np.flatnonzero(possible):
        held = (left > left[k]) & (top > top[k]) & (right < right[k]) & (bottom < bottom[k])
        result[k] = bool((held & (high >= _INNER * high[k])).any())
    return result


def _grids(pieces: Components, tried: Mask) -> dict[int, Mask]:
    """The pixels of lines and walls, each with the shape of its box, of the pieces that are boxes."""
    grids = {k: _grid(pieces.alone(k)) for k in np.flatnonzero(tried).tolist()}
    return {k: grid for k, grid in grids.items() if grid is not None}


def _grid(ink: Mask) -> Mask | None:
    """The pixels of lines and walls in the ``ink`` of one piece; None if it is no boxes."""
    # Of a box cut in any direction, most runs of ink go across one of its lines.
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
    """Which of the runs, with their middles at ``x`` and ``y``, are on each wall between two lines at their ``x``."""
    between = np.flatnonzero((y > top) & (y < bottom))
    if not len(between):
        return []
    high = int(np.median((bottom - top)[between]))
    if thickness > _THICK * high:
        return []
    # As if both lines were level.
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
