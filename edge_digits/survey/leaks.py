"""The warning of a training: pictures that are held out, and that the network learns all the same."""

from collections.abc import Mapping

import numpy as np
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.data.duplicates import nearest_among

MOST_PAIRS = 40_000_000
"""Pairs that are compared at most for each held-out split: 0.7 s of one core. `survey` compares all."""


def leak_warning(training: Split, held_out: Mapping[str, Split], source: object) -> str | None:
    """Return one line if held-out pictures are equal or nearly equal to training pictures, else None.

    Of a large data set it compares some of the held-out pictures, evenly taken, with all training pictures: a leak of a
    percent is still seen in a sample of 600.

    Args:
        training: the pictures that the network learns.
        held_out: the other splits by name, such as ``validation``.
        source: the file or folder that they are from.
    """
    found = []
    for name, split in held_out.items():
        count = min(len(split), max(1, MOST_PAIRS // max(1, len(training))))
        which = np.linspace(0, len(split) - 1, count).astype(np.intp)
        leaked = len(nearest_among(split.images[which], training.images).found)
        if leaked:
            compared = "" if count == len(split) else " compared"
            found.append(f"{leaked:,} of {count:,} {name} pictures{compared}")
    if not found:
        return None
    return (
        f"Leak: {' and '.join(found)} equal or nearly equal a training picture, which makes their accuracy too "
        f"good; 'edge-digits data {source}' with the same options lists them."
    )
