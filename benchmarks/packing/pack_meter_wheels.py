"""Pack the digits of meters that rest, in grey.

    python benchmarks/packing/pack_meter_wheels.py METERS.npz train/edge_digits_train/lines/wheels.npz.xz

METERS.npz has ``images`` (n, 32, 20, 3) uint8, ``tenths`` 0-99 and ``meter``: the data set of haverland,
https://github.com/haverland/Tenth-of-step-of-a-meter-digit (Apache-2.0), as NOTICE.md says.
"""

import io
import lzma
import sys
import tomllib
from pathlib import Path

import numpy as np
from edge_digits_runtime.records import files

HELD_OUT = tomllib.loads(Path(__file__).parents[1].joinpath("meters_split.toml").read_text(encoding="utf-8"))[
    "held_out"
]
"""Meters that are in no training line."""
_GREY = np.array([0.299, 0.587, 0.114])
_LEAST_CONTRAST = 25


def main() -> None:
    """Write the file that the command line names."""
    with np.load(sys.argv[1]) as stored:
        images, tenths, names = stored["images"], stored["tenths"].astype(int), stored["meter"]
    grey = (images @ _GREY + 0.5).astype(np.uint8)
    low, high = np.percentile(grey.reshape(len(grey), -1), (3, 97), axis=1)
    # A wheel a tenth away from rest still shows one digit. Blank places of displays are labelled 0: what has next to
    # no contrast is left out.
    keep = np.isin(tenths % 10, (0, 1, 9)) & (high - low > _LEAST_CONTRAST)
    known = sorted(set(names.tolist()))
    buffer = io.BytesIO()
    np.savez(
        buffer,
        images=grey[keep],
        digit=(np.rint(tenths / 10).astype(int) % 10).astype(np.uint8)[keep],
        meter=np.array([known.index(name) for name in names.tolist()], np.uint8)[keep],
        held_out=np.isin(names, HELD_OUT)[keep],
        names=np.array(known),
    )
    files.write_bytes(sys.argv[2], lzma.compress(buffer.getvalue()))
    print(keep.sum(), "of", len(keep), "digits,", np.isin(names, HELD_OUT)[keep].sum(), "held out")


if __name__ == "__main__":
    main()
