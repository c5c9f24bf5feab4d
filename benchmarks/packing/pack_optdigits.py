"""Make ``train/edge_digits_train/data/optdigits.xz`` from the training part of optdigits32.

    uv run python benchmarks/packing/pack_optdigits.py optdigits32.npz

The file holds, compressed with LZMA, 1,934 pictures of 32 × 32 bits (128 bytes each, ink is 1) and then one byte for
each label. Its content depends on the source file alone.
"""

import lzma
import sys
from pathlib import Path

import edge_digits_train
import numpy as np
from edge_digits_runtime.records import files


def main(source: str) -> None:
    """Pack the training pictures of ``source``, a ``.npz`` with ``x_train`` and ``y_train``."""
    with np.load(source) as archive:
        images, labels = archive["x_train"], archive["y_train"]
    packed = np.packbits(images > 0, axis=None).tobytes() + labels.astype(np.uint8).tobytes()
    target = Path(edge_digits_train.__file__).parent / "data" / "optdigits.xz"
    files.write_bytes(target, lzma.compress(packed, preset=9 | lzma.PRESET_EXTREME))
    print(f"{target}: {len(labels)} pictures, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
