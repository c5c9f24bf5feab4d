"""Take the ruling of paper out of a mask of ink."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Ints = NDArray[np.intp]

_SLANT = 0.12
"""Steepest slope of a rule line, in pixels down for each pixel across: 7 degrees."""
_COVERED = 0.6
"""Share of the columns that a rule line is seen in."""


def without_lines(mask: Mask, thickness: int, span: int) -> Mask:
    """The mask without the lines, level and upright, of ruled and squared paper.

    A line is a row of short upright runs of ink whose middles lie on a straight line, in at least `_COVERED` of the
    columns of a strip of the picture. Where a digit crosses it the upright run is longer, so the digit stays whole.

    Args:
        mask: shape ``(height, width)``; it is not changed.
        thickness: of the thickest line, in pixels.
        span: shortest length of a line in pixels, longer than any stroke of a digit; the picture is searched in
            strips about this wide.
    """
    level = _on_lines(mask.T, thickness, span)
    upright = _on_lines(mask, thickness, span)
    if level is None and upright is None:
        return mask
    result = mask.copy()
    if level is not None:
        result.T[level] = False
    if upright is not None:
        result[upright] = False
    return result


def _on_lines(mask: Mask, thickness: int, span: int) -> Mask | None:
    """Which pixels lie on lines that run along axis 0 of ``mask``; None if there are no lines.

    The runs are along axis 1, which is how they lie in memory when ``mask`` is not transposed.
    """
    columns, height = mask.shape
    if columns < span:
        return None
    begins, ends, places = _runs(np.ascontiguousarray(mask))
    thin = ends - begins <= thickness
    begins, ends, places = begins[thin], ends[thin], places[thin]
    on_line = np.zeros(len(begins), np.bool_)
    strips = max(1, columns // span)
    bounds = np.searchsorted(places, np.linspace(0, columns, strips + 1).astype(np.intp))
    for first, last in pairwise(bounds):
        on_line[first:last] = _collinear(begins[first:last], ends[first:last], places[first:last], columns // strips)
    if not on_line.any():
        return None
    steps = np.zeros((columns, height + 1), np.int8)
    steps[places[on_line], begins[on_line]] = 1
    steps[places[on_line], ends[on_line]] = -1
    return np.cumsum(steps, axis=1, dtype=np.int8)[:, :height].view(np.bool_)


def _runs(mask: Mask) -> tuple[Ints, Ints, Ints]:
    """Begin, end (exclusive) and row of each run along axis 1 of ``mask``."""
    rows, width = mask.shape
    padded = np.zeros(rows * (width + 1) + 1, np.bool_)
    padded[1:].reshape(rows, width + 1)[:, :width] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    places, begins = np.divmod(edges[0::2], width + 1)
    return begins, edges[1::2] - places * (width + 1), places


def _collinear(begins: Ints, ends: Ints, places: Ints, length: int) -> Mask:
    """Which runs lie on a line that is seen in enough of ``length`` columns."""
    chosen = np.zeros(len(begins), np.bool_)
    needed = _COVERED * length
    if len(begins) < needed:
        return chosen
    twice = begins + ends
    x = places - places[0]
    reach = int(_SLANT * length)
    best = np.zeros(len(begins), np.intp)
    # Every slope by its rise over the strip, in steps of one pixel; bins of two pixels, half overlapped by the next.
    for rise in range(-reach, reach + 1):
        rows = (twice * length - 2 * rise * x) // (2 * length) + reach
        counts = np.bincount(rows, minlength=1)
        pairs = counts + np.append(counts[1:], 0)
        pairs = np.maximum(pairs, np.append(0, pairs[:-1]))
        np.maximum(best, pairs[rows], out=best)
    return best >= needed
