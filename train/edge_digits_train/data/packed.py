"""Pictures and labels as this package carries them: all pictures, then a byte for each label, compressed with LZMA."""

import lzma
from pathlib import Path

import numpy as np
from edge_digits_runtime.errors import DataError
from numpy.typing import NDArray


def read(path: Path, count: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The ``count`` pictures of ``size`` bytes in ``path``, shape ``(count, size)``, and their labels.

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
