"""Digits that others than MNIST's Americans wrote, to be mixed into the training pictures.

``optdigits.xz`` holds the training part of the Optical Recognition of Handwritten Digits data set (E. Alpaydin and
C. Kaynak 1998, CC BY 4.0, see NOTICE.md): 1,934 pictures of 32 × 32 bits by Turkish writers, none of whom wrote for
its test part, which stays for checking. ``benchmarks/pack_optdigits.py`` made the file.

The pictures are kept as they were published. `load` gives them MNIST's form: the digit fits a box of 20 × 20 pixels,
is grey at its edges, and has its centre of mass in the middle of 28 × 28.
"""

import functools
import lzma
from pathlib import Path

import numpy as np
from edge_digits_runtime.datasets import SIDE, Split
from edge_digits_runtime.errors import DataError
from numpy.typing import NDArray
from PIL import Image

COUNT = 1_934
_PUBLISHED_SIDE = 32
_PUBLISHED_BYTES = _PUBLISHED_SIDE**2 // 8
_BOX = 20
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


def fit(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture of any size, 0 background and with some ink, in MNIST's form: shape ``(28, 28)``."""
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = _BOX / max(box.shape)
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
