"""Pictures of noise as arrays."""

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import Split
from numpy.typing import NDArray


def noise(count: int, seed: int = 0) -> Split:
    """Return ``count`` pictures of noise whose labels are 0 to 9, again and again."""
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 256, (count, 28, 28), np.uint8), (np.arange(count) % 10).astype(np.uint8))


@pytest.fixture
def arrays() -> dict[str, NDArray[np.generic]]:
    """The four arrays of a ``.npz`` of Keras: 30 training and 20 test pictures of noise."""
    train, test = noise(30), noise(20, seed=1)
    return {"x_train": train.images, "y_train": train.labels, "x_test": test.images, "y_test": test.labels}
