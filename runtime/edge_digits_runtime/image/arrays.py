"""Types of arrays that stand for pictures and for parts of them."""

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
"""A grey picture, shape ``(height, width)``, 0-255."""
Mask = NDArray[np.bool_]
"""Which pixels of a picture are meant, shape ``(height, width)``; or which of n things, shape ``(n,)``."""
Ints = NDArray[np.intp]
"""Pixels, indices or counts."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two exclusive."""
