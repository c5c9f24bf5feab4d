"""The pieces of ink on a page that may be digits: ruling, specks and borders left out, broken ones joined."""

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
"""A page whose shorter side has fewer pixels is not searched for rule lines."""
_TALL = 0.45
"""A piece is a digit or most of one if it is this tall, as a share of the height of a usual digit."""
_FLAT, _LONG = 0.3, 0.6
"""Or this tall if it is that wide: a 1 with a long upstroke."""
_TOUCHING = 0.1
"""Pieces less than this share apart all but touch."""
_SMALL = 0.15
"""A piece smaller than this share is a speck; in between it is a part of the digit that it is next to."""
_LARGE, _LONGEST = 2.0, 12.0
"""What is taller or longer than this many digits is none: a frame, a drawing, the edge of the sheet."""
_GAP = 0.25
"""A part is less than this share of the height away from its digit."""
_DASH, _OVER = 1.5, 0.2
"""A part so many times as wide as it is high is a dash, but where that share of it lies over or under a digit."""
_SIGN, _LEVEL = 0.2, 0.25
"""So is one of this height and width at least a sign, such as a plus, if its middle is as high as that of the digit."""
_ACROSS, _SPARSE = 0.7, 0.1
"""What goes across this share of the picture, with less ink than this share of its box, is a frame, and no number."""


@dataclass(frozen=True)
class Glyph:
    """A piece of ink that may be a digit."""

    box: Box
    """Where it is on the page."""
    mask: Mask
    """Its pixels, shape of the box."""


def find_glyphs(ink: Ink) -> tuple[list[Glyph], float]:
    """What may be digits in the ink of a page, and the height in pixels of a usual one."""
    pieces = _pieces(ink)
    height = usual_height(pieces)
    if not height:
        return [], 0.0
    groups = _grouped(pieces, height)
    boxes = [union(pieces.boxes[group]) for group in groups]
    check_marks(np.array(boxes).reshape(-1, 4))
    return [Glyph(box, pieces.patch(group, box)) for group, box in zip(groups, boxes, strict=True)], height


def usual_height(pieces: Components) -> float:
    """The height of the piece in the middle, if they are lined up by height and counted by their ink; 0 if none.

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
    """The connected pieces of ink without ruling."""
    mask = ink.strength > ink.low
    if min(mask.shape) >= _RULED:
        seen = ink.strength > ink.faint
        check_runs(int(np.count_nonzero(seen[:, 1:] > seen[:, :-1])))
        seen_pieces = components(seen)
        check_marks(seen_pieces.boxes[np.minimum(seen_pieces.widths, seen_pieces.heights) >= SMALLEST_BOX])
        clean = without_lines(without_boxes(mask, seen_pieces), seen, max(3, max(mask.shape) // 250))
        if clean is not mask:
            # Ruling may be darker than the writing: the levels are those of what is left.
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
    """Pieces that are parts of one digit, together."""
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
    # What all but touches a digit is a part of it. Of the others, some together may be a digit in pieces.
    digits, rest = _attached(digits, rest, boxes, height, _TOUCHING)
    rest = _chained(rest, boxes, _TOUCHING * height)
    digits += [group for group in rest if _is_tall(union(boxes[group]), height)]
    rest = [group for group in rest if not _is_tall(union(boxes[group]), height)]
    digits, _ = _attached(digits, rest, boxes, height, _GAP)
    return _stacked(digits, boxes, height)


def _free(pieces: Components, height: float) -> Mask:
    """Which pieces do not touch the border, or look like a digit that does."""
    boxes = pieces.boxes
    touching = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2] == pieces.shape[1]) | (boxes[:, 3] == pieces.shape[0])
    free: Mask = ~touching | ((pieces.heights >= 0.7 * height) & (pieces.widths <= 1.5 * height))
    return free


def _is_tall(box: Box, height: float) -> bool:
    """Whether a piece is so large that it is a digit, or most of one."""
    wide, tall = box[2] - box[0], box[3] - box[1]
    return tall >= (_FLAT if max(wide, tall) >= _LONG * height else _TALL) * height


def _attached(
    digits: list[list[int]], parts: list[list[int]], boxes: NDArray[np.intp], height: float, reach: float
) -> tuple[list[list[int]], list[list[int]]]:
    """Each of ``parts`` added to the nearest of ``digits`` within a share ``reach`` of the height, and the others."""
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
    """Groups within ``reach`` of each other joined, one by one."""
    result: list[list[int]] = []
    spans = np.zeros((0, 4), np.intp)
    for group in groups:
        near = _apart(union(boxes[group]), spans) <= reach
        merged = [k for index in np.flatnonzero(near) for k in result[index]] + group
        result = [*itertools.compress(result, ~near), merged]
        spans = np.concatenate([spans[~near], [union(boxes[merged])]])
    return result


def _apart(box: Box, boxes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance of ``box`` from each of ``boxes``, 0 where they overlap."""
    across = np.maximum(np.maximum(boxes[:, 0] - box[2], box[0] - boxes[:, 2]), 0)
    down = np.maximum(np.maximum(boxes[:, 1] - box[3], box[1] - boxes[:, 3]), 0)
    distances: NDArray[np.float64] = np.hypot(across, down)
    return distances


def _stacked(groups: list[list[int]], boxes: NDArray[np.intp], height: float) -> list[list[int]]:
    """Groups of which one lies over the other, as the halves of a broken 3, joined."""
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
