"""Remove the ruling of paper, and underlines, from a mask of ink."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Ints, Mask
from edge_digits_runtime.image.components import Components, filled, runs

Curve = Callable[[NDArray[Any]], NDArray[np.float64]]
"""The course of a line: its place across at each place along it, in pixels."""

_SLANT = 0.12
"""Steepest slope of a rule line, in pixels down per pixel along: 7 degrees."""
_COVERED = 0.6
"""Smallest share of its length along which a rule line is visible."""
_COLUMNS = 400
"""About how many columns of a strip are searched for lines."""
_MOST_TRIES = 1_000
"""Largest number of places that are tried for a line in a strip. A page with 100 rule lines takes 300; noise would take
any number."""

_UNDERLINE = 1.5
"""Shortest underline, in heights of a digit."""
_SHORTEST = 12
"""Shortest underline in pixels: enough to fit a curve to."""
_THICK = 0.2
"""Thickest underline, in heights of a digit."""
_BLUR = 1.0
"""How far the blurred edge of an underline reaches beyond half of its thickness, in pixels."""
_ALONG = 0.7
"""Smallest share of the width of its piece of ink along which an underline is visible."""
_BELOW = 0.1
"""Largest share of its piece of ink that lies below an underline."""
_ENDS = 0.03
"""Largest gap between a rule line and the border of the picture, or of a strip, as a share of its length: ruling runs
off the picture, a straight stroke of a digit does not."""


def without_lines(mask: Mask, seen: Mask, thickness: int, span: int | None = None, whole: bool = False) -> Mask:
    """Return the mask without the level and upright lines of ruled and squared paper.

    A line consists of short runs of ink across it whose middles lie on a straight line or a flat curve. Where a digit
    crosses the line, the run is longer, so the digit stays whole.

    Args:
        mask: the ink, shape ``(height, width)``. It is not changed.
        seen: the mask with fainter ink, in which a pale line has fewer gaps.
        thickness: thickness of the thickest line, in pixels.
        span: shortest line in pixels, longer than any stroke of a digit; the picture is searched in strips about this
            wide. None for lines across the whole picture.
        whole: take only lines that go on to both ends of each strip: they run off the picture, which no stroke does.

    Returns:
        ``mask`` itself if there are no lines, else a copy.
    """
    level = _on_lines(mask.T, seen.T, thickness, span, whole)
    upright = _on_lines(mask, seen, thickness, span, whole)
    if level is None and upright is None:
        return mask
    result = mask.copy()
    if level is not None:
        result &= ~level.T
    if upright is not None:
        result &= ~upright
    return result


def without_underlines(mask: Mask, pieces: Components, height: float) -> Mask:
    """Return the mask without underlines: level strokes longer than a digit, alone or with digits that stand on them.

    Args:
        mask: the ink, shape ``(height, width)``. It is not changed.
        pieces: the components of ``mask``.
        height: height of a usual digit in pixels; 0 if unknown, as where a line joins all digits into one piece.

    Returns:
        ``mask`` itself if there are no underlines, else a copy.
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
                # Ink above the line stays, and in columns with ink below the line also what crosses it.
                crossed = below.any(axis=1, keepdims=True)
                result = mask.copy() if result is mask else result
                result[top:bottom, left:right] &= ~(~crossed & (down >= -half)).T
    return result


def long_pieces(pieces: Components, height: float) -> Mask:
    """Return which of n pieces are long enough for an underline, shape ``(n,)``.

    ``height`` is that of a usual digit in pixels, or 0 if unknown.
    """
    long: Mask = (pieces.widths >= _SHORTEST) & (pieces.widths > _UNDERLINE * (height or pieces.heights))
    return long


def _on_lines(mask: Mask, seen: Mask, thickness: int, span: int | None, whole: bool) -> Mask | None:
    """Return the pixels on lines along axis 0 of ``mask``, in its shape; None if there are no lines.

    The arguments are those of `without_lines`.
    """
    length, across = mask.shape
    span = span or length
    if length < span:
        return None
    seen_middles, _, seen_places = thin_runs(seen, thickness)
    count = max(1, length // span)
    bounds = np.arange(count + 1) * length // count
    strips = pairwise(seen_places.searchsorted(bounds))
    lines = []
    for (a, b), strip in zip(strips, pairwise(bounds.tolist()), strict=True):
        found = lines_through(seen_middles[a:b], seen_places[a:b], int(bounds[1]), thickness, _COVERED)
        if whole:
            points = seen_middles[a:b], seen_places[a:b]
            found = [each for each in found if _runs_off(each, *points, thickness, strip)]
        lines.append(found)
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


def _runs_off(line: Curve, middles: NDArray[np.float64], places: Ints, thickness: int, strip: tuple[int, int]) -> bool:
    """Return whether a line goes on to both ends of the strip that it was found in."""
    on_line = places[runs_on(line, middles, places, thickness)]
    gap = max(1.0, _ENDS * (strip[1] - strip[0]))
    return bool(on_line[0] - strip[0] <= gap and strip[1] - 1 - on_line[-1] <= gap)


class _Sorted:
    """Values sorted once, to find those in an interval without going through all of them."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self._order = np.argsort(values)
        self._values = values[self._order]

    def between(self, low: float, high: float) -> Ints:
        """Return the indices of all values in [low - 1, high + 1]; the margin of a pixel makes up for rounding."""
        return self._order[slice(*self._values.searchsorted((low - 1, high + 1)))]


def runs_on(line: Curve, middles: NDArray[np.float64], places: Ints, thickness: int) -> Mask:
    """Return which runs of `thin_runs` have their middle on ``line``, or hardly beside it, shape ``(runs,)``."""
    on_line: Mask = np.abs(middles - line(places)) <= max(1.5, 0.375 * thickness)
    return on_line


def filled_runs(middles: NDArray[np.float64], lengths: Ints, places: Ints, shape: tuple[int, int]) -> Mask:
    """Return a mask of ``shape`` in which such runs as `thin_runs` returns are true."""
    return filled(places * shape[1] + (middles - lengths / 2).astype(np.intp), lengths, shape)


def thin_runs(mask: Mask, thickness: int) -> tuple[NDArray[np.float64], Ints, Ints]:
    """Return middle, length and row of each run along axis 1 of ``mask`` that is at most ``thickness`` pixels long.

    Each has the shape ``(runs,)``; rows ascend.
    """
    starts, stops = runs(mask)
    lengths = stops - starts
    thin = lengths <= thickness
    places, begins = np.divmod(starts[thin], mask.shape[1] + 1)
    return begins + lengths[thin] / 2, lengths[thin], places


def lines_through(y: NDArray[np.float64], x: Ints, length: int, thickness: int, covered: float) -> list[Curve]:
    """Find the lines along a strip that pass through many points.

    Each point votes for all lines through it, by their rise over the strip and their place across it (Hough 1962).
    A parabola is fitted to the points of each line, since a lens or a page that bulges bends it.

    Args:
        y: places of the points across the strip, in pixels.
        x: places of the points along the strip, in pixels, in ascending order.
        length: length of the strip in pixels.
        thickness: thickness of the thickest line in pixels.
        covered: smallest share of the length along which a line has points.

    Returns:
        The lines, the strongest first.
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
    # Windows of two cells overlap by one, so that no line falls between two windows.
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
    """Return how many different values there are in ``x``, which ascends."""
    return int(np.count_nonzero(x[1:] != x[:-1])) + 1 if len(x) else 0
