"""Digits that others than MNIST's Americans wrote, to be mixed into the training pictures.

``optdigits.xz`` holds the training part of the Optical Recognition of Handwritten Digits data set (E. Alpaydin and
C. Kaynak 1998, CC BY 4.0, see NOTICE.md): 1,934 pictures of 32 × 32 bits by Turkish writers, none of whom wrote for
its test part, which stays for checking. ``benchmarks/pack_optdigits.py`` made the file.

The pictures are kept as they were published. `load` gives them MNIST's form.
"""

import functools
import lzma
from pathlib import Path

import numpy as np
from edge_digits_runtime.datasets import Split
from edge_digits_runtime.errors import DataError

from edge_digits_train.form import fit

COUNT = 1_934
_PUBLISHED_SIDE = 32
_PUBLISHED_BYTES = _PUBLISHED_SIDE**2 // 8
_PACKED = Path(__file__).with_name("optdigits.xz")


@functools.cache
def load() -> Split:
    """All 1,934 pictures in MNIST's form and their labels.

    Raises:
        DataError: the packed file of this installation is missing or damaged.
    """
    try:
        packed = np.frombuffer(lzma.decompress(_PACKED.read_bytes()), np.uint8)
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"{_PACKED}: cannot be read ({error}): install edge-digits-train again") from error
    if len(packed) != COUNT * (_PUBLISHED_BYTES + 1):
        raise DataError(f"{_PACKED}: {len(packed)} bytes, not those of optdigits: install edge-digits-train again")
    bits = np.unpackbits(packed[: COUNT * _PUBLISHED_BYTES]).reshape(COUNT, _PUBLISHED_SIDE, _PUBLISHED_SIDE)
    return Split(np.stack([fit(image * np.uint8(255)) for image in bits]), packed[COUNT * _PUBLISHED_BYTES :])


def mix(training: Split, repeats: int) -> Split:
    """``training`` and behind it the handwriting, ``repeats`` times over; 0 repeats leave it as it is."""
    if not repeats:
        return training
    more = load()
    images = np.concatenate([training.images, *[more.images] * repeats])
    labels = np.concatenate([training.labels, *[more.labels] * repeats])
    return Split(images, labels)
