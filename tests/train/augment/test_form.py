"""MNIST's form: a box of 20 pixels around the centre of mass."""

import numpy as np
import pytest
from edge_digits_train.augment.form import fit


def centre(images: np.ndarray) -> np.ndarray:
    """Centre of mass (x, y) of each picture, shape (n, 2)."""
    place, total = np.arange(28), images.sum(axis=(1, 2), dtype=np.float64)
    return np.stack([images.sum(axis=1) @ place, images.sum(axis=2) @ place], axis=1) / total[:, None]


@pytest.mark.parametrize(
    ("height", "width", "wanted"), [(40, 40, (20, 20)), (10, 5, (20, 10)), (3, 60, (1, 20)), (1, 1, (20, 20))]
)
def test_the_larger_side_becomes_20_pixels(height: int, width: int, wanted: tuple[int, int]) -> None:
    image = np.zeros((64, 64), np.uint8)
    image[2 : 2 + height, 1 : 1 + width] = 255
    fitted = fit(image)
    assert (fitted.any(axis=1).sum(), fitted.any(axis=0).sum()) == wanted
    assert centre(fitted[None])[0] == pytest.approx([14, 14], abs=0.51)
