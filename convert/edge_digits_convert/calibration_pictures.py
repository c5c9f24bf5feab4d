"""Draw the pictures that the activation ranges of an int8 model are taken from."""

from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.mnist_format import DIGITS
from numpy.typing import NDArray

DEFAULT_COUNT = 100
"""Chosen on validation pictures, see docs/research/calibration.md."""


@dataclass(frozen=True)
class CalibrationDraw:
    """Which training pictures int8 is calibrated on."""

    count: int | None = None
    """How many, the same number of each digit give or take one (more of the small digits); None for `DEFAULT_COUNT`,
    or as many as a small training split allows."""
    seed: int = 0
    """Seed of the draw. The same seed with a smaller count draws a part of the same pictures."""


def draw_pictures(training: Split, draw: CalibrationDraw) -> NDArray[np.uint8]:
    """Draw training pictures, balanced by class.

    The darkest pixel of all is set to 0 and the brightest to 255, if they are not: the range of the input becomes its
    scale, which must be 1/255.

    Args:
        training: at least one picture of each digit.
        draw: how many, and the seed.

    Returns:
        Shape ``(count, 28, 28)``, ordered by digit.

    Raises:
        UsageError: fewer than 10 pictures are asked for, or more of some digit than there are.
    """
    available = np.bincount(training.labels, minlength=DIGITS)
    allowed = int(available.min()) * DIGITS
    wanted = min(DEFAULT_COUNT, allowed) if draw.count is None else draw.count
    if not DIGITS <= wanted <= allowed:
        raise UsageError(
            f"a calibration count of {wanted}; allowed is {DIGITS} to {allowed}, since the training split has "
            f"{available.min()} pictures of digit {available.argmin()}"
        )
    rng = np.random.default_rng(draw.seed)
    chosen = []
    for digit in range(DIGITS):
        share = wanted // DIGITS + (digit < wanted % DIGITS)
        chosen.append(rng.permutation(np.flatnonzero(training.labels == digit))[:share])
    return _full_range(training.images[np.concatenate(chosen)])


def _full_range(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Set one darkest pixel to 0 and one brightest to 255, which changes nothing in nearly every draw."""
    flat = pictures.reshape(-1).copy()
    flat[flat.argmin()] = 0
    flat[flat.argmax()] = 255
    return flat.reshape(pictures.shape)
