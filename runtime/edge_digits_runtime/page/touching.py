"""Decide which strokes that lie close together are one digit, and where to cut digits that touch.

The ink is cut into slices wherever two digits may meet. Each run of slices of a fitting size is a candidate for a
digit, which the classifier reads. Dynamic programming then finds the likeliest chain of candidates from left to right
that uses all of the ink: recognition-based segmentation, see R. Casey and E. Lecolinet, "A survey of methods and
strategies in character segmentation", 1996. This is done with upright cuts, with leaning ones, and with curves that go
around the ink where they can; the likeliest of the three counts.
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

Cutter = Callable[[Mask, float], Ints]
"""Finds cuts through a mask, given the height of a usual digit in pixels. It returns for each row of the mask the first
column right of each cut, from left to right, shape ``(rows, cuts)``."""

_WIDE = 0.8
"""Narrowest glyph that is cut, in heights of a usual digit."""
_NARROWEST, _WIDEST = 0.12, 1.15
"""Smallest and largest width of a candidate that is not a whole glyph, in heights of a usual digit."""
_LOWEST = 0.5
"""Smallest height of a candidate that is not a whole glyph, in heights of a usual digit."""
_APART = 0.12
"""Largest gap between strokes of one digit, in heights of a usual digit."""
_SLANT = 0.3
"""Lean of a leaning cut, in pixels to the right per pixel up."""
_TURN = 0.25
"""Cost of a step aside of a curved cut; crossing a pixel of ink costs 1."""
CLEAREST = 0.999
"""Confidence in [0, 1] from which on a glyph is taken for a digit without trying to cut it."""
_CUT = 1.0
"""Cost of a cut through ink, in the logarithm of odds, so that nothing is cut without a reason."""


@dataclass(frozen=True)
class Segmentation:
    """One cluster of ink cut into slices in one way, and its candidates: runs of slices that may be a digit."""

    spans: tuple[tuple[int, int], ...]
    """First and last slice, exclusive, of each of n candidates, ordered by the first."""
    candidates: tuple[tuple[Glyph, ...], ...]
    """The slices of each candidate. They are not joined: all candidates of a page together would fill the memory of a
    small device."""
    widths: NDArray[np.float64]
    """Width of each candidate in heights of a usual digit, shape ``(n,)``."""
    area: int
    """Pixels in the boxes around all candidates together."""
    gaps: frozenset[int]
    """Numbers of the slices before which there is a gap, not a cut, and the number of slices."""

    def best(self, confidences: NDArray[np.float32]) -> tuple[float, list[int]]:
        """Choose the likeliest candidates that together are all of the ink.

        Args:
            confidences: confidence of the classifier in each candidate, in [0, 1], shape ``(n,)``.

        Returns:
            Their score, a logarithm of odds that is comparable among the segmentations of a cluster, and their indices
            from left to right.
        """
        last = max(span[1] for span in self.spans)
        # For each candidate the best chain that ends with it: its score, and the candidate before.
        score = [-math.inf] * len(self.spans)
        before = [-1] * len(self.spans)
        # A candidate as wide as two digits counts twice: a doubt about it weighs as much as one about each of two.
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
    """Return how much each confidence speaks for one digit, and against two digits or a part of one; at most 0.

    It is the logarithm of the odds, not of the confidence: a digit seldom has a confidence of 0.9, two digits that
    touch often have.
    """
    sure = np.clip(confidences.astype(np.float64), 1 - CLEAREST, CLEAREST)
    odds: NDArray[np.float64] = np.log(sure / (1 - sure)) - np.log(CLEAREST / (1 - CLEAREST))
    return odds


def clusters(glyphs: list[Glyph], height: float) -> list[list[Glyph]]:
    """Group glyphs that are side by side and so close that they may be strokes of one digit.

    Args:
        glyphs: pieces of ink.
        height: height of a usual digit in pixels.

    Returns:
        The clusters; the glyphs of each from left to right.
    """
    result: list[list[Glyph]] = []
    # Clusters that a glyph further right may still belong to.
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
    """Return whether two glyphs are side by side, not one below the other."""
    a, b = left.box, right.box
    return min(a[3], b[3]) - max(a[1], b[1]) > 0.3 * min(a[3] - a[1], b[3] - b[1])


def segmentations(cluster: list[Glyph], height: float) -> list[Segmentation]:
    """Cut a cluster of glyphs in each way: upright, and if a glyph is wide also leaning and along curves.

    Args:
        cluster: one of `clusters`.
        height: height of a usual digit in pixels.

    Raises:
        PictureError: there are more candidates than `edge_digits_runtime.page.limits` allows.
    """
    wide = any(glyph.mask.shape[1] >= _WIDE * height for glyph in cluster)
    cutters: tuple[Cutter, ...] = (_straight, functools.partial(_straight, slant=_SLANT), _curved)
    return [_segmentation(cluster, cutter, height) for cutter in (cutters if wide else cutters[:1])]


def _segmentation(cluster: list[Glyph], cutter: Cutter, height: float) -> Segmentation:
    """Cut a cluster in one way and find every run of slices that may be a digit."""
    sliced = [_slices(glyph, cutter, height) for glyph in cluster]
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
            # A whole glyph is a candidate whatever its size, since all ink must be read.
            entire = first in starts and last == following_gap
            if entire or (_NARROWEST <= wide <= _WIDEST and tall >= _LOWEST):
                spans.append((first, last))
                area += (right - left) * (bottom - top)
                check_candidates(len(spans), area)
                candidates.append(tuple(slices[first:last]))
                widths.append(wide)
    return Segmentation(tuple(spans), tuple(candidates), np.array(widths), area, gaps)


def joined(glyphs: Sequence[Glyph]) -> Glyph:
    """Return several glyphs, at least one, as one."""
    if len(glyphs) == 1:
        return glyphs[0]
    left, top, right, bottom = union(np.array([glyph.box for glyph in glyphs]))
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for glyph in glyphs:
        x, y = glyph.box[0] - left, glyph.box[1] - top
        mask[y : y + glyph.mask.shape[0], x : x + glyph.mask.shape[1]] |= glyph.mask
    return Glyph((left, top, right, bottom), mask)


def _slices(glyph: Glyph, cutter: Cutter, height: float) -> list[Glyph]:
    """Cut a wide glyph wherever two digits may meet; return its slices from left to right."""
    if glyph.mask.shape[1] < _WIDE * height:
        return [glyph]
    rows, columns = np.nonzero(glyph.mask)
    inside = np.zeros(len(rows), np.intp)
    for cut in cutter(glyph.mask, height).T:
        inside += columns >= cut[rows]
    # Two cuts may have no ink between them: such a slice is left out.
    return [_part(glyph, rows[inside == k], columns[inside == k]) for k in np.unique(inside)]


def _straight(mask: Mask, height: float, slant: float = 0.0) -> Ints:
    """Return upright or leaning cuts that cross least ink."""
    shift = slant * (np.arange(len(mask)) - len(mask) / 2)
    rows, columns = np.nonzero(mask)
    # A leaning cut is an upright cut through a sheared picture.
    place = np.floor(columns + shift[rows]).astype(np.intp)
    at = place.min() + _least(np.bincount(place - place.min()), height)
    cuts: Ints = np.ceil(at - shift[:, np.newaxis]).astype(np.intp)
    return cuts


def _curved(mask: Mask, height: float) -> Ints:
    """Return curved cuts that cross least ink from the middle row to the top and to the bottom.

    A cut steps aside by at most one pixel in a row.
    """
    middle = len(mask) // 2
    above, steps_above = _crossed(mask[middle::-1])
    below, steps_below = _crossed(mask[middle:])
    at = _least(above + below - mask[middle], height)
    return np.concatenate([_followed(steps_above, at)[:0:-1], _followed(steps_below, at)])


def _crossed(mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Find the cheapest path from each column of the first row to the last row.

    Returns:
        The cost of each path, shape ``(columns,)``, and at each pixel the step aside to the next row, -1, 0 or 1.
    """
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
    """Return the columns of the paths that begin ``at`` these columns of the first row, shape ``(rows, paths)``."""
    paths = np.empty((len(steps), len(at)), np.intp)
    for row, aside in enumerate(steps):
        paths[row] = at
        at = at + aside[at]
    return paths


def _least(ink: NDArray[Any], height: float) -> Ints:
    """Return the columns whose cuts cross least ink, compared with those around them.

    Args:
        ink: how much ink a cut in each column crosses.
        height: height of a usual digit in pixels.
    """
    reach = max(1, round(0.06 * height))
    smooth = np.convolve(ink, np.ones(3), "same")
    cuts: list[int] = []
    for column in range(reach, len(ink) - reach):
        around = smooth[max(0, column - reach) : column + reach + 1]
        if smooth[column] <= around.min() and (not cuts or column - cuts[-1] >= reach):
            cuts.append(column)
    return np.array(cuts, np.intp)


def _part(glyph: Glyph, rows: Ints, columns: Ints) -> Glyph:
    """Return the part of a glyph that has these pixels of its mask."""
    left, top = int(columns.min()), int(rows.min())
    mask = np.zeros((int(rows.max()) + 1 - top, int(columns.max()) + 1 - left), np.bool_)
    mask[rows - top, columns - left] = True
    x, y = glyph.box[0] + left, glyph.box[1] + top
    return Glyph((x, y, x + mask.shape[1], y + mask.shape[0]), mask)
