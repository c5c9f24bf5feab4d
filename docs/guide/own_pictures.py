"""Write pictures of meters into class folders, as a person would have cut them out, to try the guide with.

    uv run python docs/guide/own_pictures.py meters

They are digits of 20 water, gas and power meters and displays, as a camera saw them, 20×32 pixels, grey; the name of a
file begins with the meter: ``meters/7/watermeter_pp-0012.png``. They are of the data set of haverland, which
edge-digits-train has (Apache-2.0, see NOTICE.md).
"""

import argparse
from pathlib import Path

import numpy as np
from edge_digits_train.meters import pictures
from PIL import Image


def main() -> None:
    """Write the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--each", type=int, metavar="N", help="pictures of a meter and digit at most  [all]")
    options = parser.parse_args()
    stored, names = pictures.resting(), pictures.packed()["names"].tolist()
    count = 0
    for meter, name in enumerate(names):
        for digit in range(10):
            chosen = np.flatnonzero((stored["meter"] == meter) & (stored["digit"] == digit))[: options.each]
            for index in chosen.tolist():
                path = options.folder / str(digit) / f"{name.replace('/', '_')}-{index:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(stored["images"][index]).save(path)
            count += len(chosen)
    print(f"{options.folder}: {count:,} pictures of {len(names)} meters")


if __name__ == "__main__":
    main()
