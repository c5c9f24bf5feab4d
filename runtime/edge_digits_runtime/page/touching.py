"""Ink that lies close together: which of it is one digit, and where digits that touch part.

The ink is cut into slices at every place where digits could part. A reading is a way through the slices from left to
right, some of them together as one digit; of all readings the likeliest is found by dynamic programming over pairs of
neighbouring digits, as in the segmentation of words by R. Casey and E. Lecolinet, "A survey of methods and strategies
in character segmentation", 1996 (recognition-based segmentation). There is a reading for each way to cut: upright,
leaning as writing does, and along curves that go around the ink where they can.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Ints, Mask
from edge_digits_runtime.image.digit import union
from edge_digits_runtime.page.glyphs import Glyph
from edge_digits_runtime.page.limits import check_candidates

Way = Callable[[Mask, float], Ints]
"""From a mask and the height of a usual digit to cuts of shape ``(rows, cuts)``: in each row the first column right of
each cut, cuts from left to right."""

_WIDE = 0.8
"""A glyph narrower than this share of the height of a usual digit is not cut."""
_NARROWEST, _WIDEST = 0.12, 1.15
"""A digit is as wide as this share of the height at least, and at most, unless it is a glyph that is not cut."""
_LOWEST = 0.5
"""A digit that was cut off is not lower than this share of the height."""
_APART = 0.12
"""Glyphs further apart than this share of the height are different digits."""
_SLANT = 0.3
"""A cut that leans goes so many pixels to the right for each pixel up."""
_TURN = 0.25
"""What a curved cut pays for a step aside, where a pixel of ink costs 1."""
CLEAREST = 0.999
"""A confidence above this says no more for a digit than this one does: such a glyph needs no other reading."""
_CUT = 1.0
"""What a cut through ink costs, in the logarithm of odds: without a reason there is none."""


@dataclass(frozen=True)
class Segmentation:
    """The possible digits of one cluster of ink, cut in one way."""

    spans: tuple[tuple[int, int], ...]
    """First and last slice (exclusive) of each possible digit."""
    candidates: tuple[tuple[Glyph, ...], ...]
    """The slices of each; not joined, since all candidates of a large page together fill its memory."""
    widths: NDArray[np.float64]
    """The width of each, in heights of a usual digit."""
    area: int
    """Pixels of the boxes around all candidates together."""
    gaps: frozenset[int]
    """Slices that have a gap before them, not a cut."""

    def best(self, confidences: NDArray[np.float32]) -> tuple[float, list[int]]:
        """The likeliest digits that together are all of the ink.

        Args:
            confidences: of the classifier in each possible digit.

        Returns:
            The logarithm of odds, comparable among the readings of a cluster, and indices of ``candidates``.
        """
        last = max(span[1] for span in self.spans)
        # The best way that ends with digit k, by digit. Spans are in the order of their first slice.
        score = [-math.inf] * len(self.spans)
        before = [-1] * len(self.spans)
        # What is as wide as two digits counts as two: a doubt of it weighs as much as one of each.
        own = _evidence(confidences) * np.maximum(1, self.widths / _WIDE)
        ending: dict[int, list[int]] = {}
        for k, (first, end) in enumerate(self.spans):
            if first == 0:
                score[k] = own[k]
            for j in ending.get(first, ()):
                total = score[j] + own[k] - (0.0 if first in self.gaps else _CUT)
                if total > score[k]:
                    score[k], before[k] = total, j
            ending.setdefault(end, []).append(k)
        chain = [max(ending[last], key=lambda k: score[k])]
        while before[chain[-1]] >= 0:
            chain.append(before[chain[-1]])
        return score[chain[0]], chain[::-1]


def _evidence(confidences: NDArray[np.float32]) -> NDArray[np.float64]:
    """What a confidence says for one digit and against two, or a part of one: 0 if it is as high as can be, else less.

    The logarithm of the odds, not of the confidence: a digit is seldom read with 0.9, two digits that touch often are.
    """
    sure = np.clip(confidences.astype(np.float64), 1 - CLEAREST, CLEAREST)
    odds: NDArray[np.float64] = np.log(sure / (1 - sure)) - np.log(CLEAREST / (1 - CLEAREST))
    return odds


def clusters(glyphs: list[Glyph], height: float) -> list[list[Glyph]]:
    """Glyphs side by side that are so close that they may be strokes of one digit, together, from left to right.

    Args:
        glyphs: pieces of ink.
        height: of a usual digit, in pixels.
    """
    result: list[list[Glyph]] = []
    # Those that a glyph further right may still belong to.
    growing: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda g: g.box[0]):
        growing = [cluster for cluster in growing if glyph.box[0] - cluster[-1].box[2] <= _APART * height]
        near = next((cluster for cluster in reversed(growing) if _overlap(cluster[-1], glyph)), None)
        if near is None:
            near = []
            result.append(near)
            growing.append(near)
        near.append(glyph)
    return result


def _overlap(left: Glyph, right: Glyph) -> bool:
    """Whether they are beside each other, not one below the other."""
    a, b = left.box, right.box
    return min(a[3], b[3]) - max(a[1], b[1]) > 0.3 * min(a[3] - a[1], b[3] - b[1])


def segmentations(cluster: list[Glyph], height: float) -> list[Segmentation]:
    """The readings of a cluster of glyphs, of which one is to be chosen.

    Args:
        cluster: one of `clusters`.
        height: of a usual digit, in pixels.

    Raises:
        PictureError: more possible digits than `edge_digits_runtime.page.limits` allows.
    """
    wide = any(glyph.mask.shape[1] >= _WIDE * height for glyph in cluster)
    ways: tuple[Way, ...] = (_straight, functools.partial(_straight, slant=_SLANT), _curved)
    return [_segmentation(cluster, way, height) for way in (ways if wide else ways[:1])]


def _segmentation(cluster: list[Glyph], way: Way, height: float) -> Segmentation:
    """Every run of slices that could be a digit."""
    sliced = [_slices(glyph, way, height) for glyph in cluster]
    slices = [part for parts in sliced for part in parts]
    gaps = frozenset(itertools.accumulate(len(parts) for parts in sliced))
    spans, candidates, widths, area = [], [], [], 0
    boxes = np.array([part.box for part in slices])
    starts = gaps | {0}
    for first in range(len(slices)):
        following_gap = min(gap for gap in gaps if gap > first)
        for last in range(first + 1, len(slices) + 1):
            left, top, right, bottom = union(boxes[first:last])
            wide, tall = (right - left) / height, (bottom - top) / height
            if wide > _WIDEST and last > following_gap:
                break
            # A piece that is not cut stays possible whatever its form: all ink must be read.
            entire = first in starts and last == following_gap
            if entire or (_NARROWEST <= wide <= _WIDEST and tall >= _LOWEST):
                spans.append((first, last))
                area += (right - left) * (bottom - top)
                check_candidates(len(spans), area)
                candidates.append(tuple(slices[first:last]))
                widths.append(wide)
    return Segmentation(tuple(spans), tuple(candidates), np.array(widths), area, gaps)


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


def _slices(glyph: Glyph, way: Way, height: float) -> list[Glyph]:
    """A wide glyph cut wherever digits could part, from left to right."""
    if glyph.mask.shape[1] < _WIDE * height:
        return [glyph]
    rows, columns = np.nonzero(glyph.mask)
    inside = np.zeros(len(rows), np.intp)
    for cut in way(glyph.mask, height).T:
        inside += columns >= cut[rows]
    # Slices between two strokes that overlap from above may be empty.
    return [_part(glyph, rows[inside == k], columns[inside == k]) for k in np.unique(inside)]


def _straight(mask: Mask, height: float, slant: float = 0.0) -> Ints:
    """Upright or leaning cuts where there is least ink along them."""
    shift = slant * (np.arange(len(mask)) - len(mask) / 2)
    rows, columns = np.nonzero(mask)
    # A cut that leans is an upright one through a picture that is sheared.
    place = np.floor(columns + shift[rows]).astype(np.intp)
    at = place.min() + _least(np.bincount(place - place.min()), height)
    cuts: Ints = np.ceil(at - shift[:, np.newaxis]).astype(np.intp)
    return cuts


def _curved(mask: Mask, height: float) -> Ints:
    """Cuts from the middle row to the top and to the bottom that cross least ink, at most one pixel aside in a row."""
    middle = len(mask) // 2
    above, steps_above = _crossed(mask[middle::-1])
    below, steps_below = _crossed(mask[middle:])
    at = _least(above + below - mask[middle], height)
    return np.concatenate([_followed(steps_above, at)[:0:-1], _followed(steps_below, at)])


def _crossed(mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """What the cheapest way from each column of the first row to the last row costs, and its step aside in each row."""
    steps = np.zeros(mask.shape, np.int8)
    cost = mask[-1].astype(np.float64)
    for row in range(len(mask) - 2, -1, -1):
        left, right = np.full((2, len(cost)), np.inf)
        left[1:], right[:-1] = cost[:-1] + _TURN, cost[1:] + _TURN
        aside = np.minimum(left, right)
        steps[row] = np.where(cost <= aside, 0, np.where(left <= right, -1, 1))
        cost = np.minimum(cost, aside) + mask[row]
    return cost, steps


def _followed(steps: NDArray[np.int8], at: Ints) -> Ints:
    """The columns of the ways that begin ``at`` these of the first row, shape ``(rows, ways)``."""
    ways = np.empty((len(steps), len(at)), np.intp)
    for row, aside in enumerate(steps):
        ways[row] = at
        at = at + aside[at]
    return ways


def _least(ink: NDArray[Any], height: float) -> Ints:
    """The columns with least ink around them, where a cut in each column crosses ``ink``."""
    reach = max(1, round(0.06 * height))
    smooth = np.convolve(ink, np.ones(3), "same")
    cuts: list[int] = []
    for column in range(reach, len(ink) - reach):
        around = smooth[max(0, column - reach) : column + reach + 1]
        if smooth[column] <= around.min() and (not cuts or column - cuts[-1] >= reach):
            cuts.append(column)
    return np.array(cuts, np.intp)


def _part(glyph: Glyph, rows: Ints, columns: Ints) -> Glyph:
    left, top = int(columns.min()), int(rows.min())
    mask = np.zeros((int(rows.max()) + 1 - top, int(columns.max()) + 1 - left), np.bool_)
    mask[rows - top, columns - left] = True
    x, y = glyph.box[0] + left, glyph.box[1] + top
    return Glyph((x, y, x + mask.shape[1], y + mask.shape[0]), mask)
