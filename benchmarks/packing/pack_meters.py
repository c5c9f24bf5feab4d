"""Pack the digits of meters and displays in grey.

    python benchmarks/packing/pack_meters.py METERS.npz SEVEN_SEGMENT.npz train/edge_digits_train/meters/meters.npz.xz

METERS.npz has ``images`` (n, 32, 20, 3) uint8, ``tenths`` 0-99 and ``meter``: the data set of haverland,
https://github.com/haverland/Tenth-of-step-of-a-meter-digit (Apache-2.0). SEVEN_SEGMENT.npz has ``images``
(3300, 64, 64) and ``labels``, ``0`` to ``9`` and ``blank``, 300 of each: the data set of Kazuhito00,
https://github.com/Kazuhito00/7segment-display-reader (Apache-2.0). NOTICE.md names both.
"""

import io
import lzma
import sys
import tomllib
from pathlib import Path

import numpy as np
from edge_digits_runtime.records import files
from PIL import Image

HELD_OUT = tomllib.loads(Path(__file__).parents[1].joinpath("meters_split.toml").read_text(encoding="utf-8"))[
    "held_out"
]
"""Meters that nothing is trained on."""
_GREY = np.array([0.299, 0.587, 0.114])
_SIDE = 28
_FIRST_DISPLAY, _SECOND_DISPLAY = 230, 232
"""Of the 300 pictures of a label, the first 230 are of one display and those from 232 on of another, darker on lighter:
it shows when they are laid side by side. The two in between are of either and are left out."""


def main() -> None:
    """Write the file that the command line names."""
    with np.load(sys.argv[1]) as stored:
        images, tenths, names = stored["images"], stored["tenths"], stored["meter"]
    with np.load(sys.argv[2]) as stored:
        displays, labels = stored["images"], stored["labels"]
    known = sorted(set(names.tolist()))
    classes = [*map(str, range(10)), "blank"]
    place = np.concatenate([np.arange((labels == name).sum()) for name in classes])
    order = np.concatenate([np.flatnonzero(labels == name) for name in classes])
    kept = (place < _FIRST_DISPLAY) | (place >= _SECOND_DISPLAY)
    small = [Image.fromarray(displays[k]).resize((_SIDE, _SIDE), Image.Resampling.BOX) for k in order[kept]]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        images=(images @ _GREY + 0.5).astype(np.uint8),
        tenths=tenths.astype(np.uint8),
        meter=np.array([known.index(name) for name in names.tolist()], np.uint8),
        held_out=np.isin(names, HELD_OUT),
        names=np.array(known),
        display_images=np.stack([np.asarray(picture) for picture in small]),
        display_labels=np.array([classes.index(name) for name in labels[order[kept]].tolist()], np.uint8),
        display_second=place[kept] >= _SECOND_DISPLAY,
    )
    files.write_bytes(sys.argv[3], lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    print(len(images), "digits of meters,", np.isin(names, HELD_OUT).sum(), "held out,", kept.sum(), "of displays")


if __name__ == "__main__":
    main()
