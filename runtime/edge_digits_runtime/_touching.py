"""Ink that lies close together: which of it is one digit, and where digits that touch part.

The ink is cut into slices at every place where digits could part. A reading is a way through the slices from left to
right, some of them together as one digit; of all readings the likeliest is found by dynamic programming over pairs of
neighbouring digits, as in the segmentation of words by R. Casey and E. Lecolinet, "A survey of methods and strategies
in character segmentation", 1996 (recognition-based segmentation).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime._digit import union
from edge_digits_runtime._glyphs import Glyph

Mask = NDArray[np.bool_]
Ints = NDArray[np.intp]

_WIDE = 0.8
"""A glyph narrower than this share of the height of a usual digit is not cut."""
_NARROWEST, _WIDEST = 0.12, 1.15
"""A digit is as wide as this share of the height at least, and at most, unless it is a glyph that is not cut."""
_LOWEST = 0.5
"""A digit that was cut off is not lower than this share of the height."""
_APART = 0.12
"""Glyphs further apart than this share of the height are different digits."""
_SLANTS = (0.0, 0.3)
"""Cuts are upright, or lean to the right by so many pixels for each pixel up, as writing does."""
# Costs in logarithms of probability, by a width in heights of a digit. They are how often MNIST's digits, and pairs of
# them set close, have that width: from 0.65, which one in 40 pairs is as narrow as, to 1.25, which no digit is as wide.
_SINGLE = (1.05, 1.15, 1.25, 1.5), (0.0, 0.7, 3.0, 5.0)
"""Of one digit, by its width."""
_CUT = (0.55, 0.65, 0.85, 0.95, 1.05, 1.15, 1.25), (6.0, 5.7, 3.9, 3.5, 2.0, 1.0, 0.3)
"""Of a cut through ink, by the width of the digits on both sides together; one pair in eight is taken to touch."""
_GAP = (0.55, 0.65, 0.75, 0.85), (2.5, 1.7, 0.8, 0.0)
"""Of a gap that is one between two digits and not one within a digit, by the same."""
_SPREAD = (0.2, 0.6), (0.0, 4.0)
"""What a cut costs more, by the usual distance of neighbours in heights: who writes digits apart does so throughout."""


@dataclass(frozen=True)
class Reading:
    """The possible digits of one cluster of ink, cut in one way."""

    spans: tuple[tuple[int, int], ...]
    """First and last slice (exclusive) of each possible digit."""
    glyphs: tuple[Glyph, ...]
    """The ink of each."""
    gaps: frozenset[int]
    """Slices that have a gap before them, not a cut."""

    spread: float
    """What a cut costs more because the digits of this page are written apart."""

    def best(self, confidences: NDArray[np.float32], height: float) -> tuple[float, list[int]]:
        """The likeliest digits that together are all of the ink.

        Args:
            confidences: of the classifier in each possible digit.
            height: of a usual digit, in pixels.

        Returns:
            The logarithm of a probability, comparable among the readings of a cluster, and indices of ``glyphs``.
        """
        last = max(span[1] for span in self.spans)
        # The best way that ends with digit k, by digit. Spans are in the order of their first slice.
        score = [-math.inf] * len(self.spans)
        before = [-1] * len(self.spans)
        for k, (first, _) in enumerate(self.spans):
            own = math.log(max(float(confidences[k]), 1e-6)) - _cost(self.glyphs[k], self.glyphs[k], height, _SINGLE)
            if first == 0:
                score[k] = own
            for j in range(k):
                if self.spans[j][1] == first:
                    gap = first in self.gaps
                    parted = _cost(self.glyphs[j], self.glyphs[k], height, _GAP if gap else _CUT)
                    total = score[j] + own - parted - (0.0 if gap else self.spread)
                    if total > score[k]:
                        score[k], before[k] = total, j
        end = max((k for k, span in enumerate(self.spans) if span[1] == last), key=lambda k: score[k])
        chain = [end]
        while before[chain[-1]] >= 0:
            chain.append(before[chain[-1]])
        return score[end], chain[::-1]


def readings(glyphs: list[Glyph], height: float) -> list[list[Reading]]:
    """The readings of each cluster of glyphs, of which one is to be chosen.

    Args:
        glyphs: pieces of ink.
        height: of a usual digit, in pixels.
    """
    spread = float(np.interp(_usual_gap(glyphs, height), *_SPREAD))
    return [_readings(cluster, height, spread) for cluster in _clusters(glyphs, height)]


def _usual_gap(glyphs: list[Glyph], height: float) -> float:
    """The median distance of a glyph from the next one to its right, in heights; 0 if none has one."""
    boxes = np.array([glyph.box for glyph in glyphs])
    top, bottom = boxes[:, 1, None], boxes[:, 3, None]
    beside = (np.minimum(bottom, bottom.T) - np.maximum(top, top.T) > 0.3 * height) & (boxes[:, 0] > boxes[:, 0, None])
    gaps = np.where(beside, boxes[:, 0] - boxes[:, 2, None], np.inf).min(axis=1)
    known = gaps[np.isfinite(gaps)]
    return float(np.median(known)) / height if len(known) else 0.0


def _clusters(glyphs: list[Glyph], height: float) -> list[list[Glyph]]:
    """Glyphs side by side that are so close that they may be strokes of one digit, together, from left to right."""
    result: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda g: g.box[0]):
        near = next((cluster for cluster in reversed(result) if _close(cluster[-1], glyph, height)), None)
        if near is None:
            result.append([glyph])
        else:
            near.append(glyph)
    return result


def _close(left: Glyph, right: Glyph, height: float) -> bool:
    a, b = left.box, right.box
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return shared > 0.3 * min(a[3] - a[1], b[3] - b[1]) and b[0] - a[2] <= _APART * height


def _readings(cluster: list[Glyph], height: float, spread: float) -> list[Reading]:
    wide = any(glyph.mask.shape[1] >= _WIDE * height for glyph in cluster)
    return [_reading(cluster, slant, height, spread) for slant in _SLANTS[: 1 + wide]]


def _reading(cluster: list[Glyph], slant: float, height: float, spread: float) -> Reading:
    """Every run of slices that could be a digit."""
    sliced = [_slices(glyph, slant, height) for glyph in cluster]
    slices = [part for parts in sliced for part in parts]
    gaps = frozenset(itertools.accumulate(len(parts) for parts in sliced))
    spans, glyphs = [], []
    for first in range(len(slices)):
        for last in range(first + 1, len(slices) + 1):
            glyph = joined(slices[first:last])
            wide, tall = glyph.mask.shape[1] / height, glyph.mask.shape[0] / height
            # A piece that is not cut stays possible whatever its form: all ink must be read.
            entire = {first, last} <= gaps | {0} and gaps.isdisjoint(range(first + 1, last))
            if entire or (_NARROWEST <= wide <= _WIDEST and tall >= _LOWEST):
                spans.append((first, last))
                glyphs.append(glyph)
    return Reading(tuple(spans), tuple(glyphs), gaps, spread)


def joined(glyphs: Sequence[Glyph]) -> Glyph:
    """Several glyphs as one."""
    if len(glyphs) == 1:
        return glyphs[0]
    left, top, right, bottom = union(np.array([glyph.box for glyph in glyphs]))
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for glyph in glyphs:
        x, y = glyph.box[0] - left, glyph.box[1] - top
        mask[y : y + glyph.mask.shape[0], x : x + glyph.mask.shape[1]] |= glyph.mask
    return Glyph((left, top, right, bottom), mask)


def _cost(left: Glyph, right: Glyph, height: float, table: tuple[Sequence[float], Sequence[float]]) -> float:
    """The cost of two digits beside each other (or of one), by their width together."""
    a, b = left.box, right.box
    wide = (max(a[2], b[2]) - min(a[0], b[0])) / max(height, a[3] - a[1], b[3] - b[1])
    return float(np.interp(wide, *table))


def _slices(glyph: Glyph, slant: float, height: float) -> list[Glyph]:
    """A wide glyph cut wherever digits could part, from left to right."""
    if glyph.mask.shape[1] < _WIDE * height:
        return [glyph]
    rows, columns = np.nonzero(glyph.mask)
    # A cut that leans is an upright one through a picture that is sheared.
    place = (columns + slant * (rows - glyph.mask.shape[0] / 2)).astype(np.intp)
    place -= place.min()
    bounds = [0, *_cuts(np.bincount(place), height), int(place.max()) + 1]
    inside = np.searchsorted(bounds, place, "right") - 1
    # Slices between two strokes that overlap from above may be empty.
    return [_part(glyph, rows[inside == k], columns[inside == k]) for k in np.unique(inside)]


def _cuts(ink: Ints, height: float) -> list[int]:
    """The columns with least ink around them, of a picture with ``ink`` in each column."""
    reach = max(1, round(0.1 * height))
    smooth = np.convolve(ink, np.ones(3), "same")
    cuts: list[int] = []
    for column in range(reach, len(ink) - reach):
        around = smooth[max(0, column - reach) : column + reach + 1]
        far = not cuts or column - cuts[-1] >= reach
        if smooth[column] <= around.min() and far and ink[column] <= 0.5 * height:
            cuts.append(column)
    return cuts


def _part(glyph: Glyph, rows: Ints, columns: Ints) -> Glyph:
    left, top = int(columns.min()), int(rows.min())
    mask = np.zeros((int(rows.max()) + 1 - top, int(columns.max()) + 1 - left), np.bool_)
    mask[rows - top, columns - left] = True
    x, y = glyph.box[0] + left, glyph.box[1] + top
    return Glyph((x, y, x + mask.shape[1], y + mask.shape[0]), mask)
