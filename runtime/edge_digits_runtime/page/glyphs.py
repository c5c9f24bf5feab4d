"""Find the pieces of ink on a page that may be digits: remove ruling, specks and borders, join broken digits."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Box, Mask
from edge_digits_runtime.image.boxes import SMALLEST_BOX, without_boxes
from edge_digits_runtime.image.components import Components, components
from edge_digits_runtime.image.digit import union
from edge_digits_runtime.image.ink import Ink, levels
from edge_digits_runtime.image.ruling import long_pieces, without_lines, without_underlines
from edge_digits_runtime.page.limits import check_marks, check_runs

_RULED = 40
"""Rule lines and boxes are removed only from pages whose shorter side has at least this many pixels."""
_TALL = 0.45
"""Least height of a piece that is a digit or most of one, in heights of a usual digit."""
_FLAT, _LONG = 0.3, 0.6
"""Least height of such a piece if its longer side has at least the second length, in heights of a usual digit: a 1 with
a long upstroke."""
_TOUCHING = 0.1
"""Largest distance of pieces that all but touch, in heights of a usual digit."""
_SMALL = 0.15
"""Least longer side of a piece that is no speck, in heights of a usual digit. Between this and the size of a digit, it
is a part of the digit that it is next to."""
_LARGE, _LONGEST = 2.0, 12.0
"""Largest height and width of a piece, in heights of a usual digit. Larger ones are frames, drawings, the edge of the
sheet."""
_GAP = 0.25
"""Largest distance of a part from its digit, in heights of a usual digit."""
_DASH, _OVER = 1.5, 0.2
"""A part is a dash if it is this many times as wide as high, unless at least the second share of its width lies above
or below the digit."""
_SIGN, _LEVEL = 0.2, 0.25
"""A part is a sign, such as a plus, if it is large and level with its digit. Large: height and width are at least the
first share of the height of a usual digit. Level: the two middles differ by less than the second share of the height of
the digit."""
_ACROSS, _SPARSE = 0.7, 0.1
"""A piece is a frame, and no number, if it is at least the first share of the picture wide, and its ink fills less than
the second share of its box."""


@dataclass(frozen=True)
class Glyph:
    """A piece of ink that may be a digit."""

    box: Box
    """Box around it on the page."""
    mask: Mask
    """Its pixels, shape of ``box``."""


def find_glyphs(ink: Ink) -> tuple[list[Glyph], float]:
    """Return the pieces of ink that may be digits, and the height of a usual digit in pixels, 0 if there is none.

    Raises:
        PictureError: the page has more ink than `edge_digits_runtime.page.limits` allows.
    """
    pieces = _pieces(ink)
    height = usual_height(pieces)
    if not height:
        return [], 0.0
    groups = _grouped(pieces, height)
    boxes = [union(pieces.boxes[group]) for group in groups]
    check_marks(np.array(boxes).reshape(-1, 4))
    return [Glyph(box, pieces.patch(group, box)) for group, box in zip(groups, boxes, strict=True)], height


def usual_height(pieces: Components) -> float:
    """Return the median height of the pieces in pixels, each weighted by its ink; 0 if there is no piece.

    A piece may be a number whose digits touch, from one end of the picture to the other.
    """
    height, width = pieces.shape
    boxes = pieces.boxes
    inside = (boxes[:, 0] > 0) & (boxes[:, 1] > 0) & (boxes[:, 2] < width) & (boxes[:, 3] < height)
    frame = (pieces.widths >= _ACROSS * width) & (pieces.areas < _SPARSE * pieces.widths * pieces.heights)
    usable = (pieces.heights >= 6) & (pieces.widths < 4 * pieces.heights) & ~frame
    chosen = usable & inside if (usable & inside).any() else usable
    if not chosen.any():
        return 0.0
    heights, weights = pieces.heights[chosen], pieces.areas[chosen]
    order = np.argsort(heights)
    counted = np.cumsum(weights[order])
    return float(heights[order][np.searchsorted(counted, counted[-1] / 2)])


def _pieces(ink: Ink) -> Components:
    """Return the connected pieces of ink without printed boxes, ruling and underlines."""
    mask = ink.strength > ink.low
    if min(mask.shape) >= _RULED:
        seen = ink.strength > ink.faint
        check_runs(int(np.count_nonzero(seen[:, 1:] > seen[:, :-1])))
        seen_pieces = components(seen)
        check_marks(seen_pieces.boxes[np.minimum(seen_pieces.widths, seen_pieces.heights) >= SMALLEST_BOX])
        clean = without_lines(without_boxes(mask, seen_pieces), seen, max(3, max(mask.shape) // 250))
        if clean is not mask:
            # Ruling may be darker than the writing, so the levels are measured again without it.
            _, low = levels(ink.strength[clean], ink.faint)
            mask = clean & (ink.strength > low)
    pieces = components(mask)
    height = usual_height(pieces)
    check_marks(pieces.boxes[long_pieces(pieces, height)])
    clean = without_underlines(mask, pieces, height)
    if clean is not mask:
        mask, pieces = clean, components(clean)
        height = usual_height(pieces)
    long = np.maximum(pieces.widths, pieces.heights) > _LARGE * max(height, 1)
    if height and long.any():
        # Lines that do not cross the whole page: of a table, or on a page that does not lie flat.
        mask = without_lines(mask, mask, max(3, round(0.15 * height)), round(5 * height))
        pieces = components(mask)
    return pieces


def _grouped(pieces: Components, height: float) -> list[list[int]]:
    """Group the pieces by the digit that they are parts of; each group lists the numbers of its pieces."""
    boxes = pieces.boxes
    sizes = np.maximum(pieces.widths, pieces.heights)
    fitting = (
        _free(pieces, height)
        & (sizes >= _SMALL * height)
        & (pieces.heights <= _LARGE * height)
        & (pieces.widths <= _LONGEST * height)
    )
    check_marks(boxes[fitting])
    possible = [[int(k)] for k in np.flatnonzero(fitting)]
    digits = [group for group in possible if _is_tall(union(boxes[group]), height)]
    rest = [group for group in possible if not _is_tall(union(boxes[group]), height)]
    # Parts that all but touch a digit belong to it. The others may together be a digit in pieces.
    digits, rest = _attached(digits, rest, boxes, height, _TOUCHING)
    rest = _chained(rest, boxes, _TOUCHING * height)
    digits += [group for group in rest if _is_tall(union(boxes[group]), height)]
    rest = [group for group in rest if not _is_tall(union(boxes[group]), height)]
    digits, _ = _attached(digits, rest, boxes, height, _GAP)
    return _stacked(digits, boxes, height)


def _free(pieces: Components, height: float) -> Mask:
    """Return which pieces do not touch the border of the page, or do so and look like a digit, shape ``(n,)``."""
    boxes = pieces.boxes
    touching = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2] == pieces.shape[1]) | (boxes[:, 3] == pieces.shape[0])
    free: Mask = ~touching | ((pieces.heights >= 0.7 * height) & (pieces.widths <= 1.5 * height))
    return free


def _is_tall(box: Box, height: float) -> bool:
    """Return whether a piece is large enough to be a digit, or most of one."""
    wide, tall = box[2] - box[0], box[3] - box[1]
    return tall >= (_FLAT if max(wide, tall) >= _LONG * height else _TALL) * height


def _attached(
    digits: list[list[int]], parts: list[list[int]], boxes: NDArray[np.intp], height: float, reach: float
) -> tuple[list[list[int]], list[list[int]]]:
    """Add each part to the nearest digit.

    Args:
        digits: groups of pieces.
        parts: groups of pieces that are too small for a digit.
        boxes: boxes of all pieces, shape ``(n, 4)``.
        height: height of a usual digit in pixels.
        reach: largest distance of a part from its digit, in heights of a usual digit.

    Returns:
        The digits with their parts, and the parts that are near no digit.
    """
    result, alone = [list(group) for group in digits], []
    spans = np.array([union(boxes[group]) for group in digits]).reshape(-1, 4)
    for part in parts:
        box = union(boxes[part])
        wide, tall = box[2] - box[0], box[3] - box[1]
        apart = _apart(box, spans)
        beside = np.minimum(box[2], spans[:, 2]) - np.maximum(box[0], spans[:, 0]) < _OVER * wide
        if wide > _DASH * tall:
            apart[beside] = np.inf
        elif min(wide, tall) >= _SIGN * height:
            off = np.abs(box[1] + box[3] - spans[:, 1] - spans[:, 3]) / 2
            apart[beside & (off < _LEVEL * (spans[:, 3] - spans[:, 1]))] = np.inf
        if len(apart) and apart.min() <= reach * height:
            result[int(np.argmin(apart))] += part
        else:
            alone.append(part)
    return result, alone


def _chained(groups: list[list[int]], boxes: NDArray[np.intp], reach: float) -> list[list[int]]:
    """Join groups that are at most ``reach`` pixels apart, one by one."""
    result: list[list[int]] = []
    spans = np.zeros((0, 4), np.intp)
    for group in groups:
        near = _apart(union(boxes[group]), spans) <= reach
        merged = [k for index in np.flatnonzero(near) for k in result[index]] + group
        result = [*itertools.compress(result, ~near), merged]
        spans = np.concatenate([spans[~near], [union(boxes[merged])]])
    return result


def _apart(box: Box, boxes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the distance of ``box`` from each of ``boxes`` in pixels, 0 where they overlap, shape ``(n,)``."""
    across = np.maximum(np.maximum(boxes[:, 0] - box[2], box[0] - boxes[:, 2]), 0)
    down = np.maximum(np.maximum(boxes[:, 1] - box[3], box[1] - boxes[:, 3]), 0)
    distances: NDArray[np.float64] = np.hypot(across, down)
    return distances


def _stacked(groups: list[list[int]], boxes: NDArray[np.intp], height: float) -> list[list[int]]:
    """Join groups of which one lies above the other, as the halves of a broken 3 do."""
    result: list[list[int]] = []
    spans = np.zeros((len(groups), 4), np.intp)
    for group in groups:
        box = np.array(union(boxes[group]))
        others = spans[: len(result)]
        first, last = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
        begin, end = np.minimum(others[:, :2], box[:2]), np.maximum(others[:, 2:], box[2:])
        narrower = np.minimum(others[:, 2] - others[:, 0], box[2] - box[0])
        over = (last[:, 0] - first[:, 0] > 0.5 * narrower) & (end[:, 1] - begin[:, 1] <= 1.4 * height)
        if over.any():
            k = int(over.argmax())
            result[k] += group
            spans[k] = *begin[k], *end[k]
        else:
            spans[len(result)] = box
            result.append(list(group))
    return result
