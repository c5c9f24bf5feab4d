"""Digits by Turkish writers, to mix into the training pictures, since MNIST was written by Americans.

``optdigits.xz`` holds the training part of the Optical Recognition of Handwritten Digits data set (E. Alpaydin and
C. Kaynak 1998, CC BY 4.0, see NOTICE.md): 1,934 pictures of 32 × 32 bits. None of their writers wrote for the test part
of that set, which is kept for checking. ``benchmarks/packing/pack_optdigits.py`` made the file.

The file has the pictures as they were published; `load` brings them into the frame of MNIST, as a device does.
"""

import functools
from pathlib import Path

import numpy as np
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.image.frame import frame

from edge_digits_train.data import packed

COUNT = 1_934
"""Number of pictures."""
_PUBLISHED_SIDE = 32
_PACKED = Path(__file__).with_name("optdigits.xz")


@functools.cache
def load() -> Split:
    """Return all pictures, shape ``(1934, 28, 28)``, in the frame of MNIST, and their labels.

    Raises:
        DataError: the packed file of this installation is missing or damaged.
    """
    content, labels = packed.read(_PACKED, COUNT, _PUBLISHED_SIDE**2 // 8)
    bits = np.unpackbits(content, axis=1).reshape(-1, _PUBLISHED_SIDE, _PUBLISHED_SIDE)
    # Digits fill their pictures: the paper around them, which gives a stroke its soft edge, is added.
    pictures = np.pad(bits * np.uint8(255), ((0, 0), (1, 1), (1, 1)))
    return Split(np.stack([frame(picture) for picture in pictures]), labels)


def mix(training: Split, repeats: int) -> Split:
    """Return ``training`` followed by all of `load`, ``repeats`` times; with 0 repeats ``training`` itself."""
    if not repeats:
        return training
    more = load()
    images = np.concatenate([training.images, *[more.images] * repeats])
    labels = np.concatenate([training.labels, *[more.labels] * repeats])
    return Split(images, labels)
