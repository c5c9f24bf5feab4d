"""Choose what to align by on a picture of a meter: corners of print, far apart, unlike what is around them."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.meter.alignment import Aligner, correlation

Box = tuple[int, int, int, int]
COUNT = 4
"""Patches that are proposed, where there are so many."""
_SIDE = 0.1
"""Side of a patch as a share of the longer side of the picture."""
_WORK = 320
"""Longer side in pixels of the copy that is looked at."""
_BORDER = 0.04
"""What lies nearer to the border, as a share of the longer side, may be out of sight when the camera moves."""
_ALIKE = 0.75
"""Correlation with another place nearby from which a patch may be mistaken for it."""
_LEAST = 6.0
"""Grey steps from pixel to pixel, in the direction in which there is less, that a patch must have on average."""


def propose_patches(picture: Image.Image, slots: Sequence[Box], furthest: float) -> list[Box]:
    """Return up to `COUNT` patches, the best first; fewer than two where the picture has too little print.

    Args:
        picture: the reference picture.
        slots: what changes; patches keep away from it.
        furthest: how far a patch will be looked for, in pixels.
    """
    factor = max(1, max(picture.size) // _WORK)
    small = np.asarray(picture.convert("L").reduce(factor), np.float64)
    side = max(8, round(_SIDE * max(small.shape)))
    score = _corners(small, side)
    border = max(1, round(_BORDER * max(small.shape)))
    score[:border], score[-border:], score[:, :border], score[:, -border:] = 0, 0, 0, 0
    for x, y, width, height in _row(slots):
        left, top = x // factor - side, y // factor - side
        score[max(0, top) : (y + height) // factor + 1, max(0, left) : (x + width) // factor + 1] = 0
    chosen: list[Box] = []
    centres: list[tuple[int, int]] = []
    for _ in range(40):
        weighted = score * _apart(score.shape, centres)
        y, x = divmod(int(np.argmax(weighted)), score.shape[1])
        if score[y, x] < _LEAST:
            break
        if _unique(small, (x, y, side, side), math.ceil(furthest / factor)):
            chosen.append((x * factor, y * factor, side * factor, side * factor))
            centres.append((x, y))
            if len(chosen) == COUNT:
                break
        # Neither this place nor the ones around it again.
        half = side // 2
        score[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1] = 0
    return chosen


def lasting(picture: Image.Image, patches: Sequence[Box], furthest: float, others: Iterable[Image.Image]) -> list[Box]:
    """Return the patches that are found in all other pictures of the meter, too: a needle that turns is not."""
    left = list(patches)
    for other in others:
        if len(left) < 2:
            break
        aligner = Aligner(picture, left, furthest)
        placement = aligner.find(other)
        if placement is None:
            continue
        gray, moved = np.asarray(picture.convert("L"), np.float64), other.convert("L")
        kept = []
        for x, y, width, height in left:
            there = np.asarray(placement.cut(moved, (x, y, width, height)), np.float64)
            if correlation(gray[y : y + height, x : x + width], there)[0, 0] >= _ALIKE:
                kept.append((x, y, width, height))
        left = kept
    return left


def _row(slots: Sequence[Box]) -> list[Box]:
    """Return one box around all slots."""
    if not slots:
        return []
    left, top = min(box[0] for box in slots), min(box[1] for box in slots)
    right, bottom = max(box[0] + box[2] for box in slots), max(box[1] + box[3] for box in slots)
    return [(left, top, right - left, bottom - top)]


def _corners(gray: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Return for each upper left corner of a patch how much it has of both directions, in grey steps; J. Shi and
    C. Tomasi, "Good features to track", 1994."""
    down, right = (np.asarray(part, np.float64) for part in np.gradient(gray))
    a, b, c = (_mean(product, side) for product in (right * right, right * down, down * down))
    smaller = (a + c) / 2 - np.sqrt(((a - c) / 2) ** 2 + b**2)
    score: NDArray[np.float64] = np.sqrt(np.maximum(smaller, 0))
    return score


def _mean(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Return the mean over the square whose upper left corner each pixel is; 0 where it does not fit."""
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inner = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    found = np.zeros_like(values)
    found[: inner.shape[0], : inner.shape[1]] = inner / side**2
    return found


def _apart(shape: tuple[int, ...], centres: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return for each place its distance to the nearest one chosen, as a share of the picture, at most 0.5."""
    if not centres:
        return np.ones(shape)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    nearest = np.min([np.hypot(rows - y, columns - x) for x, y in centres], axis=0)
    share: NDArray[np.float64] = np.minimum(nearest / max(shape), 0.5)
    return share


def _unique(gray: NDArray[np.float64], box: Box, reach: int) -> bool:
    """Return whether nothing within reach looks like the patch, but itself."""
    x, y, width, height = box
    left, top = max(0, x - reach), max(0, y - reach)
    window = gray[top : y + height + reach, left : x + width + reach]
    scores = correlation(gray[y : y + height, x : x + width], window)
    near = max(2, width // 3)
    row, column = y - top, x - left
    scores[max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1] = -1
    return float(scores.max()) < _ALIKE
