"""MNIST, packed into this package.

``mnist.u8.xz`` holds 70,000 × 784 image bytes (60,000 training pictures, then 10,000 test pictures) and then
70,000 label bytes, compressed with LZMA: 9.1 MB, which the standard library reads in 0.7 s. NOTICE.md names the authors
and the licence of the data.
"""

from pathlib import Path

from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.mnist_format import SIDE

from edge_digits_train.data import packed

NAME = "MNIST"
_PACKED = Path(__file__).with_name("mnist.u8.xz")
_TRAIN, _TEST = 60_000, 10_000


def load() -> DataSet:
    """Return MNIST as LeCun, Cortes and Burges publish it, in their order: 60,000 training and 10,000 test pictures.

    Raises:
        DataError: the packed file of this installation is missing or damaged.
    """
    images, labels = packed.read(_PACKED, _TRAIN + _TEST, SIDE * SIDE)
    images = images.reshape(-1, SIDE, SIDE)
    return DataSet(NAME, Split(images[:_TRAIN], labels[:_TRAIN]), Split(images[_TRAIN:], labels[_TRAIN:]))
