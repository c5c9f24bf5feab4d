"""The file format of the pictures in this package: all pictures, then one byte for each label, compressed with LZMA."""

import lzma
from pathlib import Path

import numpy as np
from edge_digits_runtime.errors import DataError
from numpy.typing import NDArray


def read(path: Path, count: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read pictures and their labels.

    Args:
        path: the file.
        count: number of pictures in it.
        size: bytes of each picture.

    Returns:
        The pictures, shape ``(count, size)``, and the labels, shape ``(count,)``.

    Raises:
        DataError: the file is missing, damaged or of another size.
    """
    try:
        content = np.frombuffer(lzma.decompress(path.read_bytes()), np.uint8)
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"{path}: cannot be read ({error}): install edge-digits-train again") from error
    if len(content) != count * (size + 1):
        raise DataError(f"{path}: {len(content)} bytes, not {count * (size + 1)}: install edge-digits-train again")
    return content[: count * size].reshape(count, size), content[count * size :]
