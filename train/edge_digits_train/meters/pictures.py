"""Digits of meters and displays as cameras saw them, packed into this package.

``meters.npz.xz`` holds 13,628 digits of 20 meters and displays, labelled in tenths, and 3,278 of two seven-segment
displays, digits and blank places. ``benchmarks/packing/pack_meters.py`` made it; NOTICE.md names the authors and the
licence of the data. In none of the pictures of meters a place is blank: of those labelled 0 the 72 with the least
contrast were looked at, see docs/research/meters.md.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data import turns
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.prepare import prepare_arrays
from numpy.typing import NDArray

from edge_digits_train.lines.typefaces import read_pack
from edge_digits_train.recipes.recipe import METER_CLASSES

NAME = "meters and displays"
BLANK, MINUS = turns.COUNT, turns.COUNT + 1
"""Labels of an empty place and of a minus sign, as indices into `METER_CLASSES`."""
FIRST_DISPLAY, SECOND_DISPLAY = "display/first", "display/second"
"""Groups of the two seven-segment displays; no recipe is trained on the second."""
_PACKED = Path(__file__).with_name("meters.npz.xz")


@functools.cache
def packed() -> Mapping[str, NDArray[Any]]:
    """Return the arrays of the packed file.

    ``images`` are grey, shape ``(n, 32, 20)``, with ``tenths``, ``meter`` (an index into ``names``) and ``held_out``;
    ``display_images``, shape ``(m, 28, 28)``, have ``display_labels``, 10 for blank, and ``display_second``.

    Raises:
        DataError: the packed file of this installation is missing or damaged.
    """
    return read_pack(_PACKED)


def resting() -> dict[str, NDArray[Any]]:
    """Return the digits of meters that rest, in the order of the packed file.

    Returns:
        ``images``, shape ``(n, 32, 20)``, ``digit`` 0-9, ``meter`` and ``held_out``, all of shape ``(n,)``.
    """
    stored = packed()
    chosen = turns.rests(stored["tenths"])
    found = {name: stored[name][chosen] for name in ("images", "meter", "held_out")}
    # A wheel a tenth away from rest still shows one digit.
    return found | {"digit": turns.shown_index(METER_CLASSES)[stored["tenths"][chosen]].astype(np.uint8)}


def load(form: Input) -> DataSet:
    """Return all meters and a third of the first display for training, and the meters held out whole for testing.

    Args:
        form: the input of a model, of kind ``crop``.
    """
    stored = packed()
    names, meters = stored["names"], stored["meter"]
    images = prepare_arrays(stored["images"], form)
    every = Split(images, stored["tenths"].astype(np.uint8), names[meters])
    known = every.take(~stored["held_out"])
    # It was filmed: pictures that stand side by side are alike.
    first = display(form, second=False).take(slice(None, None, 3))
    training = Split(
        np.concatenate([known.images, first.images]),
        np.concatenate([known.labels, first.labels]),
        np.concatenate([_groups(known), _groups(first)]),
    )
    test = every.take(stored["held_out"])
    return DataSet(NAME, training, test, METER_CLASSES, form)


def display(form: Input, second: bool) -> Split:
    """Return the pictures of one of the two seven-segment displays, with labels as indices into `METER_CLASSES`."""
    stored = packed()
    chosen = stored["display_second"] == second
    digits = stored["display_labels"][chosen].astype(int)
    labels = np.where(digits == 10, BLANK, digits * 10).astype(np.uint8)
    name = SECOND_DISPLAY if second else FIRST_DISPLAY
    return Split(prepare_arrays(stored["display_images"][chosen], form), labels, np.full(len(labels), name))


def _groups(split: Split) -> NDArray[np.str_]:
    assert split.groups is not None
    return split.groups
