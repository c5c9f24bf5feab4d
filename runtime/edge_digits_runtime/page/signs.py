"""Signs between digits that look like a digit."""

import numpy as np

from edge_digits_runtime.image.arrays import Box
from edge_digits_runtime.page.glyphs import Glyph

_LEANING = 0.15
"""Smallest lean of a slash, in pixels to the right per pixel up."""
_BESIDE = 0.07
"""Largest distance of the ink of a slash from a straight line, in heights of a digit (root of the mean square)."""
_OUT = 0.08
"""Least overhang of a slash above its neighbours and below them, in heights of a digit."""


def like_slash(glyph: Glyph, before: Box, behind: Box, height: float) -> bool:
    """Return whether a glyph that was read as a 1 may be a slash: straight, leaning, and taller than its neighbours.

    Args:
        glyph: the glyph.
        before: box of its left neighbour.
        behind: box of its right neighbour.
        height: height of a usual digit in pixels.
    """
    above = (before[1] + behind[1]) / 2 - glyph.box[1]
    below = glyph.box[3] - (before[3] + behind[3]) / 2
    if min(above, below) <= _OUT * height:
        return False
    rows, columns = (places - places.mean() for places in np.nonzero(glyph.mask))
    slope = float(rows @ columns / (rows @ rows))
    return slope < -_LEANING and float(np.std(columns - slope * rows)) < _BESIDE * height
