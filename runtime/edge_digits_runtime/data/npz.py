"""Data sets in one ``.npz``, in either of two forms.

With its own split, under the key names of Keras: ``x_train``, ``y_train``, ``x_test``, ``y_test``, and where they are
known ``groups_train`` and ``groups_test``. Without: ``images``, ``labels`` and where they are known ``groups``. Either
may have ``class_names``, text of shape ``(k,)`` that the labels are indices into; without it they are digits. Of lines
the labels are their texts, and all pictures are for testing.
"""

import dataclasses
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.checks import check_parted, check_split, check_training
from edge_digits_runtime.data.classes import DIGIT_CLASSES, check_classes
from edge_digits_runtime.data.datasets import DataSet, Split, nothing
from edge_digits_runtime.data.line_folders import characters
from edge_digits_runtime.data.splitting import held_out, named_groups
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.library_errors import NUMPY, first_line
from edge_digits_runtime.records import files

_SPLITS = ("train", "test")

Arrays = dict[str, NDArray[Any]]


def load(path: Path, form: Input, test_groups: Sequence[str], need_train: bool, forms: str) -> DataSet:
    """Read a file; see `edge_digits_runtime.data.loading.load`, ``forms`` are those that a message may name."""
    arrays = _read(path, need_train, forms)
    name = str(arrays["name"]) if "name" in arrays else path.name
    classes = _classes(path, arrays.get("class_names"))
    if form.kind == "line":
        return _lines(path, name, arrays, form)
    if "images" in arrays:
        return _split(path, name, arrays, classes, form, test_groups, need_train)
    if test_groups:
        raise DataError(f"{path}: has test pictures of its own; test groups are for pictures that are not split yet")
    parts = {
        split: check_split(
            f"{path}: {split}",
            arrays[f"x_{split}"],
            arrays[f"y_{split}"],
            arrays.get(f"groups_{split}"),
            classes,
            form,
        )
        for split in _SPLITS
        if f"x_{split}" in arrays
    }
    train, test = parts.get("train", nothing(form)), parts["test"]
    if need_train:
        check_training(f"{path}: train", train.labels, classes)
        check_parted(path, train, test)
    return DataSet(name, train, test, classes, form)


def save_test(path: str | os.PathLike[str], dataset: DataSet) -> None:
    """Write the test pictures as one compressed ``.npz`` that `load` reads, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    _save(path, dataset, ("test",))


def save(path: str | os.PathLike[str], dataset: DataSet) -> None:
    """Write training and test pictures as one compressed ``.npz`` that `load` reads, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    _save(path, dataset, _SPLITS)


def _save(path: str | os.PathLike[str], dataset: DataSet, splits: Sequence[str]) -> None:
    arrays: Arrays = {"name": np.array(dataset.name)}
    for name in splits:
        split: Split = getattr(dataset, name)
        arrays |= {f"x_{name}": split.images, f"y_{name}": split.labels}
        if split.groups is not None:
            arrays[f"groups_{name}"] = split.groups
    if dataset.classes != DIGIT_CLASSES and dataset.input.kind != "line":
        arrays["class_names"] = np.array(dataset.classes, np.str_)
    with files.replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # numpy 2 takes a bool by the name allow_pickle


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return height and width of the pictures as they are stored in a file that `load` read; None if it is flat."""
    with np.load(path, allow_pickle=False) as archive:
        # A file that has both forms is read as one with a split of its own.
        shape = archive["x_test" if {"x_train", "x_test"} <= set(archive.files) else "images"].shape
    return None if len(shape) == 2 else (shape[1], shape[2])


def _read(path: Path, need_train: bool, forms: str) -> Arrays:
    """Read the arrays that are wanted and there."""
    try:
        with path.open("rb") as stream:
            is_zip = zipfile.is_zipfile(stream)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if not is_zip:
        raise DataError(f"{path}: not a .npz, or cut off; give {forms}")
    needed = [f"{axis}_{split}" for split in _SPLITS if need_train or split == "test" for axis in "xy"]
    optional = ["name", "class_names", *(f"groups_{split}" for split in _SPLITS if need_train or split == "test")]
    try:
        with np.load(path, allow_pickle=False) as archive:
            members = archive.files
            if "images" in members and not set(needed) <= set(members):
                needed, optional = ["images", "labels"], ["name", "class_names", "groups"]
            # A member that is no array comes as bytes, which the checks refuse as soon as they are an array.
            arrays = {key: np.asarray(archive[key]) for key in (*needed, *optional) if key in members}
    except NUMPY as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}") from error
    absent = [key for key in needed if key not in arrays]
    if absent:
        found = " ".join(", ".join(members[:10]).split()) or "nothing"
        raise DataError(f"{path}: no {absent[0]} in it, only {found}; needed are {', '.join(needed)}")
    return arrays


def _classes(path: Path, names: NDArray[Any] | None) -> tuple[str, ...]:
    if names is None:
        return DIGIT_CLASSES
    if names.ndim != 1 or names.dtype.kind != "U":
        got = f"{names.dtype} of shape {names.shape}"
        raise DataError(f"{path}: class_names of type {got}; allowed is text of shape (k,), a name for each class")
    return check_classes(path, names.tolist())


def _lines(path: Path, name: str, arrays: Arrays, form: Input) -> DataSet:
    """Return lines, all of which are for testing; their labels are texts."""
    images, texts = ("images", "labels") if "images" in arrays else ("x_test", "y_test")
    test = check_split(str(path), arrays[images], arrays[texts], form=form)
    return DataSet(name, nothing(form), test, characters(test), form)


def _split(
    path: Path,
    name: str,
    arrays: Arrays,
    classes: tuple[str, ...],
    form: Input,
    test_groups: Sequence[str],
    need_train: bool,
) -> DataSet:
    """Split what has no split of its own."""
    every = check_split(str(path), arrays["images"], arrays["labels"], arrays.get("groups"), classes, form)
    check_training(str(path), every.labels, classes)
    mask, title = divide(path, name, every, classes, test_groups)
    every = dataclasses.replace(every, names=np.arange(len(every)).astype(np.str_))
    return DataSet(title, every.take(~mask) if need_train else nothing(form), every.take(mask), classes, form)


def divide(
    source: object, name: str, every: Split, classes: Sequence[str], test_groups: Sequence[str]
) -> tuple[NDArray[np.bool_], str]:
    """Return which pictures of a source without a split of its own are for testing, and a name that says so."""
    if test_groups:
        return named_groups(source, every.labels, every.groups, test_groups, len(classes)), f"{name} (held-out groups)"
    try:
        mask = held_out(every.labels, every.groups)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    return mask, f"{name} (held-out {'seventh' if every.groups is None else 'groups'})"
