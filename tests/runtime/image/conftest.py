"""Masks and grey pictures that are drawn as text."""

from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.image.arrays import Mask

AsMask = Callable[[str], Mask]


@pytest.fixture(scope="session")
def as_mask() -> AsMask:
    """``as_mask("#. .#")`` has a row for each word, true where ``#`` stands."""
    return lambda drawn: np.array([[pixel == "#" for pixel in row] for row in drawn.split()])
