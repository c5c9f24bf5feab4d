"""The types of the arrays that are passed around here."""

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
"""Shape ``(n, 28, 28)``, 0 background, 255 ink; larger where it is said."""
Floats = NDArray[np.floating]
"""Coordinates, widths and other numbers of any precision."""
Float32 = NDArray[np.float32]
"""Pixels or coordinates by the million, which take half the memory and time of float64."""
