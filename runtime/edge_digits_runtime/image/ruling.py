"""Take the ruling of paper, and underlines, out of a mask of ink."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Ints, Mask
from edge_digits_runtime.image.components import Components, filled, runs

Curve = Callable[[NDArray[Any]], NDArray[np.float64]]

_SLANT = 0.12
"""Steepest slope of a rule line, in pixels down for each pixel along it: 7 degrees."""
_COVERED = 0.6
"""Share of its length on which a rule line is seen."""
_COLUMNS = 400
"""Lines are looked for in about this many columns of a strip."""
_MOST_TRIES = 1_000
"""Places where a line is looked for in a strip: 300 for a page of 100 rule lines. On noise there is no end of them."""

_UNDERLINE, _THICK = 1.5, 0.2
"""An underline is longer than this share of the height of a digit, and not thicker than that one."""
_SHORTEST = 12
"""It has this many pixels at least, which is enough to lay a curve through."""
_BLUR = 1.0
"""Its edges are up to so many pixels beside where half of its thickness ends."""
_ALONG, _BELOW = 0.7, 0.1
"""It is seen on this share of its piece's width; less than that share of the piece lies below it."""


def without_lines(mask: Mask, seen: Mask, thickness: int, span: int | None = None) -> Mask:
    """The mask without the lines, level and upright, of ruled and squared paper.

    A line is a row of short runs of ink across it whose middles lie on a straight line. Where a digit crosses it,
    the run is longer, so the digit stays whole.

    Args:
        mask: shape ``(height, width)``; it is not changed.
        seen: the same with fainter ink, in which a pale line is less broken.
        thickness: of the thickest line, in pixels.
        span: length of a line in pixels, at least, so longer than any stroke of a digit; the picture is searched in
            strips about this wide. None for lines across the whole picture.
    """
    level, upright = _on_lines(mask.T, seen.T, thickness, span), _on_lines(mask, seen, thickness, span)
    if level is None and upright is None:
        return mask
    result = mask.copy()
    if level is not None:
        result &= ~level.T
    if upright is not None:
        result &= ~upright
    return result


def without_underlines(mask: Mask, pieces: Components, height: float) -> Mask:
    """The mask without level strokes longer than a digit, alone or with digits that stand on them.

    Args:
        mask: shape ``(height, width)``; it is not changed.
        pieces: its components.
        height: of a usual digit in pixels; 0 if that is not known, as where a line joins all digits to one piece.
    """
    result = mask
    for k in np.flatnonzero(long_pieces(pieces, height)).tolist():
        left, top, right, bottom = pieces.boxes[k]
        ink = pieces.alone(k).T
        thickness = max(3, round(_THICK * (height or bottom - top)))
        middles, lengths, places = thin_runs(ink, thickness)
        for line in lines_through(middles, places, right - left, thickness, _ALONG):
            half = float(np.median(lengths[runs_on(line, middles, places, thickness)])) / 2 + _BLUR
            down = np.arange(bottom - top) - line(np.arange(right - left))[:, np.newaxis]
            below = ink & (down > half)
            if np.count_nonzero(below) < _BELOW * pieces.areas[k]:
                # What a digit has above the line stays, and so does what goes across it.
                crossed = below.any(axis=1, keepdims=True)
                result = mask.copy() if result is mask else result
                result[top:bottom, left:right] &= ~(~crossed & (down >= -half)).T
    return result


def long_pieces(pieces: Components, height: float) -> Mask:
    """Return which pieces are long enough for an underline, shape ``(n,)``; ``height`` as in `without_underlines`."""
    long: Mask = (pieces.widths >= _SHORTEST) & (pieces.widths > _UNDERLINE * (height or pieces.heights))
    return long


def _on_lines(mask: Mask, seen: Mask, thickness: int, span: int | None) -> Mask | None:
    """Which pixels lie on lines that run along axis 0 of ``mask``; None if there are no lines."""
    length, across = mask.shape
    span = span or length
    if length < span:
        return None
    seen_middles, _, seen_places = thin_runs(seen, thickness)
    count = max(1, length // span)
    bounds = np.arange(count + 1) * length // count
    strips = pairwise(seen_places.searchsorted(bounds))
    lines = [lines_through(seen_middles[a:b], seen_places[a:b], int(bounds[1]), thickness, _COVERED) for a, b in strips]
    if not any(lines):
        return None
    middles, lengths, places = thin_runs(mask, thickness)
    on_line = np.zeros(len(middles), np.bool_)
    for strip, curves in zip(pairwise(bounds), lines, strict=True):
        a, b = places.searchsorted(strip)
        by_middle = _Sorted(middles[a:b])
        for curve in curves:
            course = curve(np.arange(*strip))
            near = a + by_middle.between(course.min() - thickness, course.max() + thickness)
            on_line[near] |= runs_on(curve, middles[near], places[near], thickness)
    return filled_runs(middles[on_line], lengths[on_line], places[on_line], (length, across))


class _Sorted:
    """Values in order, so that those near a line are found without a look at all of them."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self._order = np.argsort(values)
        self._values = values[self._order]

    def between(self, low: float, high: float) -> Ints:
        """Return the indices of values from ``low`` to ``high``, both within a pixel."""
        return self._order[slice(*self._values.searchsorted((low - 1, high + 1)))]


def runs_on(line: Curve, middles: NDArray[np.float64], places: Ints, thickness: int) -> Mask:
    """Which of such runs as `thin_runs` gives are on ``line``: their middles are hardly beside it."""
    on_line: Mask = np.abs(middles - line(places)) <= max(1.5, 0.375 * thickness)
    return on_line


def filled_runs(middles: NDArray[np.float64], lengths: Ints, places: Ints, shape: tuple[int, int]) -> Mask:
    """A mask of ``shape`` with such runs as `thin_runs` gives on."""
    return filled(places * shape[1] + (middles - lengths / 2).astype(np.intp), lengths, shape)


def thin_runs(mask: Mask, thickness: int) -> tuple[NDArray[np.float64], Ints, Ints]:
    """Middle, length and row of each run along axis 1 of ``mask`` that is no longer than ``thickness``."""
    starts, stops = runs(mask)
    lengths = stops - starts
    thin = lengths <= thickness
    places, begins = np.divmod(starts[thin], mask.shape[1] + 1)
    return begins + lengths[thin] / 2, lengths[thin], places


def lines_through(y: NDArray[np.float64], x: Ints, length: int, thickness: int, covered: float) -> list[Curve]:
    """The lines that have points on a share ``covered`` of a strip of ``length``; points are ``y`` across, ``x`` along.

    Lines are found by votes for their rise over the strip and their place across it (Hough 1962), the strongest
    first. A curve of the second degree is fitted to each, since a lens or a page that bulges bends it.
    """
    needed = covered * length
    if _places(x) < needed:
        return []
    grid = max(2, thickness // 2)
    every = max(1, length // _COLUMNS)
    sampled = x % every == 0
    along, across = (x[sampled] - x[0]) / length, y[sampled]
    reach = int(_SLANT * length)
    rises = np.arange(-reach, reach + 1, grid)
    count = int(y.max() + 2 * reach) // grid + 2
    votes = np.stack(
        [np.bincount(((across - along * rise + reach) / grid).astype(np.intp), None, count) for rise in rises]
    )
    # Windows of two cells, each half over the next, so that no line falls between two.
    votes[:, :-1] += votes[:, 1:].copy()
    free = np.ones(len(x), np.bool_)
    by_y = _Sorted(y)
    curves: list[Curve] = []
    for _ in range(_MOST_TRIES):
        best, place = np.unravel_index(np.argmax(votes), votes.shape)
        if votes[best, place] * every < needed:
            break
        middle, rise = (place + 1) * grid - reach, rises[best]
        band = by_y.between(middle + min(0, rise) - grid, middle + max(0, rise) + grid)
        on_line = np.abs(y[band] - (x[band] - x[0]) * (rise / length) - middle) <= grid
        near = np.sort(band[free[band] & on_line])
        votes[max(0, best - 1) : best + 2, max(0, place - 1) : place + 2] = 0
        if _places(x[near]) >= needed:
            curves.append(np.polynomial.Polynomial.fit(x[near], y[near], 2))
            free[near] = False
    return curves


def _places(x: Ints) -> int:
    """How many different values there are in ``x``, which is in ascending order."""
    return int(np.count_nonzero(x[1:] != x[:-1])) + 1 if len(x) else 0
