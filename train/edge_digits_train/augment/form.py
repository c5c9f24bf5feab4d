"""The form that all of MNIST's pictures have."""

import numpy as np
from edge_digits_runtime.mnist_format import SIDE
from numpy.typing import NDArray
from PIL import Image

BOX = 20
"""Pixels of the larger side of a digit."""


def fit(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give one picture MNIST's form: scaled to a box of 20 × 20 pixels, centre of mass at (14, 14).

    Args:
        image: of any size, 0 background and with some ink.

    Returns:
        Shape ``(28, 28)``.
    """
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(box.shape)
    height, width = (max(1, round(side * scale)) for side in box.shape)
    small = np.asarray(Image.fromarray(box).resize((width, height), Image.Resampling.BICUBIC))
    result = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (_start(small.sum(axis=axis, dtype=np.float64)) for axis in (1, 0))
    result[top : top + height, left : left + width] = small
    return result


def _start(ink: NDArray[np.float64]) -> int:
    """Where an axis with this much ink in each row begins, so that its centre of mass is nearest to the middle."""
    centre = float(ink @ np.arange(len(ink)) / ink.sum())
    return int(np.clip(round(SIDE / 2 - centre), 0, SIDE - len(ink)))
