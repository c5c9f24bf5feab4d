"""The lines of writing that boxes stand on, which may slant and bend, in reading order."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Ints

_STEEP = 0.35
"""A line of writing rises or falls by less than this for each pixel to the right."""
_OFF = 0.6
"""A digit is on a line if its middle is closer to it than this share of the height of a digit."""
_WIDE = 0.8
"""A gap wider than this share of the height of a digit may be one between two numbers."""
_WIDER = 2.0
"""And is, if it is this many times as wide as the gaps inside of numbers."""


def rows(boxes: Ints, height: float) -> list[list[int]]:
    """Arrange boxes in lines.

    Args:
        boxes: shape ``(n, 4)``: left, top, right, bottom.
        height: of a usual digit in pixels.

    Returns:
        The lines from top to bottom, each the indices of its boxes from left to right.
    """
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    slope = _slope(x, y, height)
    lines: list[list[int]] = []
    # Where the last boxes of each line have their middle.
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
    """Divide each line where a gap between two numbers is: the lines, each its numbers, each the indices of boxes."""
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
    """The slant of the writing, by the median over each box and the next one to its right."""
    slants = []
    # Box by box, since all pairs of a few thousand boxes do not fit into the memory of a small device.
    for k in range(len(x)):
        right, down = x - x[k], y - y[k]
        beside = np.flatnonzero((right > 0.2 * height) & (np.abs(down) < np.minimum(_STEEP * right, 0.8 * height)))
        if len(beside):
            following = beside[np.argmin(right[beside])]
            slants.append(down[following] / right[following])
    return float(np.median(slants)) if slants else 0.0
