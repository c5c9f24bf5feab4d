"""What stands between digits and looks like one of them."""

import numpy as np

from edge_digits_runtime.image.arrays import Box
from edge_digits_runtime.page.glyphs import Glyph

_LEANING = 0.15
"""A slash goes to the right by at least this for each pixel up."""
_BESIDE = 0.07
"""Its ink lies beside a straight line by less than this share of the height of a digit (root of the mean square)."""
_OUT = 0.08
"""It sticks out above and below its neighbours by more than this share."""


def like_slash(glyph: Glyph, before: Box, behind: Box, height: float) -> bool:
    """Whether a piece that is read as a 1 may be a slash: straight, leaning, and longer than its neighbours both ways.

    Args:
        glyph: the piece.
        before: the box of what is left of it.
        behind: the box of what is right of it.
        height: of a usual digit, in pixels.
    """
    above = (before[1] + behind[1]) / 2 - glyph.box[1]
    below = glyph.box[3] - (before[3] + behind[3]) / 2
    if min(above, below) <= _OUT * height:
        return False
    rows, columns = (places - places.mean() for places in np.nonzero(glyph.mask))
    slope = float(rows @ columns / (rows @ rows))
    return slope < -_LEANING and float(np.std(columns - slope * rows)) < _BESIDE * height
