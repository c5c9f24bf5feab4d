"""Fixtures for the tests of the runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

DATA = Path(__file__).parent / "models"
# Top, upper left, upper right, middle, lower left, lower right, bottom: (rows, columns) of a stroke 4 wide.
_SEGMENTS = (
    (slice(4, 8), slice(8, 20)),
    (slice(4, 14), slice(8, 12)),
    (slice(4, 14), slice(16, 20)),
    (slice(12, 16), slice(8, 20)),
    (slice(14, 24), slice(8, 12)),
    (slice(14, 24), slice(16, 20)),
    (slice(20, 24), slice(8, 20)),
)
_DIGITS = ("012456", "25", "02346", "02356", "1235", "01356", "013456", "025", "0123456", "012356")


def draw_digits(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Digits as a pocket calculator shows them, a little moved, faded and noisy; the same number of each.

    Returns pictures of shape ``(count, 28, 28)``, 0 background, 255 ink, and their labels.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.uint8) % 10
    images = np.zeros((count, 28, 28))
    for image, label in zip(images, labels, strict=True):
        for segment in _DIGITS[label]:
            image[_SEGMENTS[int(segment)]] = rng.uniform(150, 255)
    moved = [np.roll(image, rng.integers(-1, 2, 2), (0, 1)) for image in images]
    noisy = np.stack(moved) + rng.normal(0, 20, images.shape) if count else images
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


@pytest.fixture
def tiny() -> Callable[[str], Path]:
    """``tiny("int8")`` is the path of a model that ``make_models.py`` made."""
    return lambda name: DATA / f"{name}.tflite"


@pytest.fixture(scope="session")
def drawn() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """250 drawn digits that no model has seen, and their labels."""
    return draw_digits(250, seed=2)
