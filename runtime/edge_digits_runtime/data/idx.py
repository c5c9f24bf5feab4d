"""Data sets of MNIST's IDX files: four files, gzipped or not.

They are ``train-images-idx3-ubyte`` or ``train-images.idx3-ubyte``, and so on; the test files begin with ``t10k``.
"""

import gzip
import math
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.checks import check_split, check_training
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.datasets import DataSet, Split, nothing
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.library_errors import GZIP, first_line

_PREFIXES = {"train": "train", "test": "t10k"}


def is_folder(path: Path) -> bool:
    """Whether there are pictures of one split in ``path``."""
    return any(_file(path, split, "images", 3) for split in _PREFIXES)


def load(path: Path, form: Input, need_train: bool) -> DataSet:
    """Read a folder; see `edge_digits_runtime.data.loading.load`."""
    train = _load_split(path, "train", form) if need_train else nothing(form)
    if need_train:
        check_training(f"{path}: train", train.labels, DIGIT_CLASSES)
    return DataSet(path.resolve().name, train, _load_split(path, "test", form), DIGIT_CLASSES, form)


def _file(folder: Path, split: str, what: str, axes: int) -> Path | None:
    """The file of one split in any of its four spellings; ``axes`` is 3 for images, 1 for labels."""
    for separator in "-.":
        for suffix in ("", ".gz"):
            file = folder / f"{_PREFIXES[split]}-{what}{separator}idx{axes}-ubyte{suffix}"
            if file.is_file():
                return file
    return None


def _load_split(folder: Path, split: str, form: Input) -> Split:
    arrays = []
    for what, axes in (("images", 3), ("labels", 1)):
        file = _file(folder, split, what, axes)
        if file is None:
            raise DataError(f"{folder}: {_PREFIXES[split]}-{what}-idx{axes}-ubyte is missing (gzipped or not)")
        arrays.append(_read(file, axes))
    return check_split(f"{folder}: {split}", arrays[0], arrays[1], form=form)


def _read(file: Path, axes: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes: 0, 0, 8, number of axes, each length as big-endian int32, the bytes."""
    try:
        with file.open("rb") as raw:
            # By its first two bytes, not its name: downloads keep the .gz or lose it as they like.
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(file) if zipped else file.open("rb") as stream:
            head = stream.read(4 + 4 * axes)
            if head[:4] != bytes((0, 0, 8, axes)) or len(head) < 4 + 4 * axes:
                raise DataError(f"{file}: not an IDX file of unsigned bytes with {axes} axes")
            shape = struct.unpack(f">{axes}I", head[4:])
            # One byte more than the header announces, to notice a file that is too long.
            content = _read_up_to(math.prod(shape) + 1, stream)
    except GZIP as error:
        raise DataError(f"{file}: cannot be read: {first_line(error)}") from error
    if len(content) != math.prod(shape):
        raise DataError(f"{file}: {'x'.join(map(str, shape))} bytes announced, but it is cut off or too long")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_up_to(count: int, stream: BinaryIO | gzip.GzipFile) -> bytes:
    """Read ``count`` bytes, or what there is; a header that announces too much does not make `read` reserve it."""
    content = bytearray()
    while len(content) < count and (part := stream.read(min(count - len(content), 1 << 20))):
        content += part
    return bytes(content)
