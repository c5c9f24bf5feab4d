"""Digit pictures with labels, from a file or folder that the user names.

Read on the workstation and on the device, so numpy and Pillow only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """Pictures of one split with their labels."""

    images: NDArray[np.uint8]
    """Shape ``(n, 28, 28)``, 0 background, 255 ink."""
    labels: NDArray[np.uint8]
    """Shape ``(n,)``, each 0-9."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    """Training and test pictures of one source; validation is split off the training pictures by a recipe."""

    name: str
    """What reports call it, such as ``MNIST``."""
    train: Split
    """May be empty where only a test set was asked for."""
    test: Split
