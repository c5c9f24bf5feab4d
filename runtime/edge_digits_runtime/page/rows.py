"""Arrange boxes in lines of writing, which may slant and bend, and in numbers."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Ints

_STEEP = 0.35
"""Largest slope of a line of writing, up or down, in pixels per pixel to the right."""
_OFF = 0.6
"""Largest distance of the middle of a digit from its line, in heights of a digit."""
_WIDE = 0.8
"""Narrowest gap between two numbers, in heights of a digit."""
_WIDER = 2.0
"""Narrowest gap between two numbers, as a multiple of the gaps within numbers."""


def rows(boxes: Ints, height: float) -> list[list[int]]:
    """Arrange boxes in lines.

    Args:
        boxes: left, top, right and bottom in pixels, shape ``(n, 4)``.
        height: height of a usual digit in pixels.

    Returns:
        For each line, from top to bottom, the indices of its boxes from left to right.
    """
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    slope = _slope(x, y, height)
    lines: list[list[int]] = []
    # For each line the mean middle of its last four boxes.
    ends: list[tuple[float, float]] = []
    for k in np.argsort(x, kind="stable"):
        distances = [abs(down + slope * (x[k] - across) - y[k]) for across, down in ends]
        nearest = int(np.argmin(distances)) if distances else -1
        if nearest < 0 or distances[nearest] >= _OFF * height:
            nearest = len(lines)
            lines.append([])
            ends.append((0.0, 0.0))
        lines[nearest].append(int(k))
        last = lines[nearest][-4:]
        ends[nearest] = float(x[last].mean()), float(y[last].mean())
    return sorted(lines, key=lambda line: float(np.mean(y[line] - slope * x[line])))


def numbers(boxes: Ints, lines: list[list[int]], height: float) -> list[list[list[int]]]:
    """Divide lines into numbers at their wide gaps.

    Args:
        boxes: left, top, right and bottom in pixels, shape ``(n, 4)``.
        lines: what `rows` returned for them.
        height: height of a usual digit in pixels.

    Returns:
        For each line its numbers, and for each number the indices of its boxes from left to right.
    """
    gaps = [[float(boxes[b, 0] - boxes[a, 2]) for a, b in pairwise(line)] for line in lines]
    everything = [gap for line in gaps for gap in line]
    usual = float(np.percentile(everything, 25)) if everything else 0.0
    limit = max(_WIDE * height, _WIDER * usual)
    ends = [[k for k, gap in enumerate(line, 1) if gap > limit] for line in gaps]
    return [
        [line[first:last] for first, last in pairwise([0, *cuts, len(line)])]
        for line, cuts in zip(lines, ends, strict=True)
    ]


def _slope(x: NDArray[np.float64], y: NDArray[np.float64], height: float) -> float:
    """Return the slope of the writing: the median over the steps from each box to the nearest one on its right."""
    slants = []
    # Box by box, since all pairs of a few thousand boxes do not fit into the memory of a small device.
    for k in range(len(x)):
        right, down = x - x[k], y - y[k]
        beside = np.flatnonzero((right > 0.2 * height) & (np.abs(down) < np.minimum(_STEEP * right, 0.8 * height)))
        if len(beside):
            following = beside[np.argmin(right[beside])]
            slants.append(down[following] / right[following])
    return float(np.median(slants)) if slants else 0.0
