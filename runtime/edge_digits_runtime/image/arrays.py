"""Types of the arrays and tuples that pictures and parts of them are passed around as."""

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
"""A grey picture, shape ``(height, width)``, 0-255."""
Mask = NDArray[np.bool_]
"""True for some pixels of a picture, shape ``(height, width)``, or for some of n things, shape ``(n,)``."""
Ints = NDArray[np.intp]
"""Coordinates, indices or counts."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two exclusive."""
