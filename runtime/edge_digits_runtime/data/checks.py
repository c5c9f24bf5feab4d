"""Checks of arrays that all forms of data sets share, each with one line that says what was got and what is allowed."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.classes import DIGIT_CLASSES, check_group
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.model_input import INK, Input
from edge_digits_runtime.mnist_format import SIDE

LARGEST_PICTURE = 4096
"""Longest side in pixels of a picture in an array."""
LONGEST_TEXT = 200
"""Characters of the text of a line."""


def check_split(
    source: str,
    images: NDArray[Any],
    labels: NDArray[Any],
    groups: NDArray[Any] | None = None,
    classes: Sequence[str] = DIGIT_CLASSES,
    form: Input = INK,
) -> Split:
    """Check the arrays of one split and make pixels for a model of them; ``source`` opens every message.

    Raises:
        DataError: another shape, type or range than is allowed, lengths that differ, or no pictures.
    """
    pictures = _check_images(source, images, form)
    checked = check_texts(source, labels) if form.kind == "line" else _check_labels(source, labels, classes)
    split = Split(pictures, checked, _check_groups(source, groups))
    if len(split.images) != len(split.labels):
        raise DataError(f"{source}: {len(split.images)} pictures but {len(split.labels)} labels; give one label each")
    if split.groups is not None and len(split.groups) != len(split):
        raise DataError(f"{source}: {len(split)} pictures but {len(split.groups)} groups; give one group each")
    if not len(split):
        raise DataError(f"{source}: no pictures in it")
    if form.kind == "ink":
        return split
    # Imported here, so that a reader of digits in arrays needs no picture code.
    from edge_digits_runtime.image.prepare import prepare_arrays

    return dataclasses.replace(split, images=prepare_arrays(split.images, form))


def check_texts(source: str, texts: NDArray[Any]) -> NDArray[np.str_]:
    """Check the labels of lines, which are what is written in them; a label may be empty.

    Raises:
        DataError: they are no texts of one line of at most `LONGEST_TEXT` characters.
    """
    if texts.ndim != 1 or texts.dtype.kind != "U":
        got = f"{texts.dtype} of shape {texts.shape}"
        raise DataError(f"{source}: labels of type {got}; of lines, allowed is text of shape (n,)")
    for text in texts.tolist():
        if len(text) > LONGEST_TEXT or not text.isprintable() or text != " ".join(text.split()):
            raise DataError(
                f"{source}: a line that says {text[:60]!r}; allowed are at most {LONGEST_TEXT} printable characters, "
                "single spaces between them"
            )
    return texts


def check_training(source: str, labels: NDArray[np.uint8], classes: Sequence[str]) -> None:
    """See that there are at least two training pictures of each class: one to learn from, one to hold out.

    Raises:
        DataError: there are not.
    """
    counts = np.bincount(labels, minlength=len(classes))
    few = np.flatnonzero(counts < 2)
    if len(few):
        name, count = classes[few[0]], counts[few[0]]
        got = "no picture" if not count else "one picture"
        raise DataError(
            f"{source}: {got} of class {name}; training needs pictures of every class, at least 2: "
            "one to learn from, one to hold out"
        )


def check_parted(source: object, train: Split, test: Split) -> None:
    """See that no group is among the training pictures and the test pictures as well.

    Raises:
        DataError: one is.
    """
    both = sorted(set(train.group_names) & set(test.group_names))
    if both:
        raise DataError(
            f"{source}: group {both[0]} is among both the training and the test pictures"
            f"{f', and so are {len(both) - 1} more' if len(both) > 1 else ''}; a group must be in one of them"
        )


def _check_images(source: str, images: NDArray[Any], form: Input) -> NDArray[np.uint8]:
    shape = images.shape[1:]
    if shape == (SIDE * SIDE,):
        shape = (SIDE, SIDE)
    elif len(shape) == 3 and shape[2] == 1:
        shape = shape[:2]
    if form.kind == "ink" and shape != (SIDE, SIDE):
        more = "; for whole pictures of another size: --input crop" if len(shape) == 2 else ""
        allowed = "(n, 28, 28), (n, 28, 28, 1), (n, 784)"
        raise DataError(f"{source}: pictures of shape {images.shape}; allowed is {allowed}{more}")
    if len(shape) != 2 or not all(1 <= side <= LARGEST_PICTURE for side in shape):
        allowed = f"(n, height, width) or (n, height, width, 1), 1 to {LARGEST_PICTURE} pixels a side, or (n, 784)"
        raise DataError(f"{source}: pictures of shape {images.shape}; allowed is {allowed}")
    _check_integers(source, "pictures", images, 0, 255)
    # Pixels of 0 and 1 are integers in range, but black to a network that expects 255.
    if images.size and images.max() == 1:
        raise DataError(f"{source}: pixels of 0 and 1 only; ink must be 255: multiply them by 255")
    return images.astype(np.uint8, copy=False).reshape(-1, *shape)


def _check_labels(source: str, labels: NDArray[Any], classes: Sequence[str]) -> NDArray[np.uint8]:
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        raise DataError(f"{source}: labels of shape {labels.shape}; allowed is (n,) with one label for each picture")
    more = ", or more with class_names" if tuple(classes) == DIGIT_CLASSES else ""
    _check_integers(source, "labels", labels, 0, len(classes) - 1, more)
    return labels.astype(np.uint8, copy=False).reshape(-1)


def _check_groups(source: str, groups: NDArray[Any] | None) -> NDArray[np.str_] | None:
    if groups is None:
        return None
    if groups.ndim != 1 or groups.dtype.kind not in "Uiu":
        got = f"{groups.dtype} of shape {groups.shape}"
        raise DataError(f"{source}: groups of type {got}; allowed is (n,) text or whole numbers")
    names, index = np.unique(groups.astype(np.str_), return_inverse=True)
    return np.array([check_group(source, name) for name in names.tolist()], np.str_)[index.reshape(-1)]


def _check_integers(source: str, what: str, values: NDArray[Any], low: int, high: int, more: str = "") -> None:
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{source}: {what} of type {values.dtype}; allowed are whole numbers {low}-{high}, as uint8")
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        first = outside[0]
        index = first // (values[0].size if values.ndim > 1 else 1)
        got = values.reshape(-1)[first]
        raise DataError(f"{source}: {what} hold {got} at index {index}; allowed is {low}-{high}{more}")
