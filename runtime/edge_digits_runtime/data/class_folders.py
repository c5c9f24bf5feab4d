"""Data sets of pictures in folders: a folder for each class, whose name is that of the class.

The class folders may stand once under ``train/`` and once under ``test/``. The groups of the pictures, where they are
known, are in a file ``groups.csv`` of two columns, ``file`` (within the data set) and ``group``, or are found in the
names of the files by a regular expression.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.checks import check_parted, check_training
from edge_digits_runtime.data.classes import check_classes, check_group, check_names, in_order, shown
from edge_digits_runtime.data.datasets import DataSet, Split, nothing
from edge_digits_runtime.data.npz import divide
from edge_digits_runtime.errors import DataError, PictureError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.library_errors import first_line

GROUPS = "groups.csv"
_HEADER = ["file", "group"]
_PARTS = ("train", "test")


@dataclass(frozen=True)
class _Listed:
    """The pictures of a split, not read yet."""

    files: Sequence[Path]
    labels: NDArray[np.uint8]
    groups: NDArray[np.str_] | None

    def take(self, mask: NDArray[np.bool_]) -> "_Listed":
        groups = None if self.groups is None else self.groups[mask]
        return _Listed([self.files[i] for i in np.flatnonzero(mask).tolist()], self.labels[mask], groups)

    def read(self, form: Input, source: Path) -> Split:
        pixels = [_pixels(file, form) for file in self.files]
        if not pixels:
            return nothing(form)
        names = np.array([file.relative_to(source).as_posix() for file in self.files], np.str_)
        return Split(np.stack(pixels), self.labels, self.groups, names)


def is_folder(path: Path) -> bool:
    """Whether there are class folders in ``path``: ``train/`` or ``test/``, or any folder with a picture in it."""
    return any((path / part).is_dir() for part in _PARTS) or any(_pictures(folder) for folder in _subfolders(path))


def load(path: Path, form: Input, pattern: str | None, test_groups: Sequence[str], need_train: bool) -> DataSet:
    """Read a folder; see `edge_digits_runtime.data.loading.load`."""
    name = path.resolve().name
    groups = _Groups(path, pattern)
    there = [part for part in _PARTS if (path / part).is_dir()]
    if not there:
        return _load_unsplit(path, name, form, groups, test_groups, need_train)
    if test_groups:
        raise DataError(f"{path}: has a test/ of its own; test groups are for pictures that are not split yet")
    for part in _PARTS:
        if part not in there and (need_train or part == "test"):
            raise DataError(f"{path / part}: no such folder; give class folders under both train/ and test/")
    classes = _class_names(path, [path / part for part in there])
    listed = {part: _list(path, path / part, classes, groups) for part in there}
    groups.check_all_used()
    test = listed["test"].read(form, path)
    if not need_train:
        return DataSet(name, nothing(form), test, classes, form)
    check_training(str(path / "train"), listed["train"].labels, classes)
    train = listed["train"].read(form, path)
    check_parted(path, train, test)
    return DataSet(name, train, test, classes, form)


def _load_unsplit(
    path: Path, name: str, form: Input, groups: "_Groups", test_groups: Sequence[str], need_train: bool
) -> DataSet:
    classes = _class_names(path, [path])
    every = _list(path, path, classes, groups)
    groups.check_all_used()
    check_training(str(path), every.labels, classes)
    labelled = Split(np.zeros((len(every.labels), 0, 0), np.uint8), every.labels, every.groups)
    mask, title = divide(path, name, labelled, classes, test_groups)
    train = every.take(~mask).read(form, path) if need_train else nothing(form)
    return DataSet(title, train, every.take(mask).read(form, path), classes, form)


def _subfolders(path: Path) -> list[Path]:
    return [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]


def _class_names(source: Path, folders: Sequence[Path]) -> tuple[str, ...]:
    """The names of all classes in ``folders``, in order."""
    names = {name for folder in folders for name in check_names(folder, sorted(f.name for f in _subfolders(folder)))}
    return check_classes(source, in_order(names))


def _list(source: Path, folder: Path, classes: Sequence[str], groups: "_Groups") -> _Listed:
    """List the pictures of the class folders in ``folder``, in the order of classes and file names."""
    index = {name: label for label, name in enumerate(classes)}
    by_label: dict[int, list[Path]] = {}
    for each in _subfolders(folder):
        (name,) = check_names(source, [each.name])
        pictures = _pictures(each)
        if not pictures:
            raise DataError(f"{each}: no picture in it; each class folder must hold pictures of its class")
        by_label[index[name]] = pictures
    if not by_label:
        raise DataError(f"{folder}: no class folder in it")
    files = [file for label in sorted(by_label) for file in by_label[label]]
    labels = [label for label in sorted(by_label) for _ in by_label[label]]
    return _Listed(files, np.array(labels, np.uint8), groups.of(files))


def _pictures(folder: Path) -> list[Path]:
    """The pictures directly in a folder, in the order of their names; other files are passed over."""
    # Picture code is imported here alone, so that a reader of arrays needs none of it.
    from edge_digits_runtime.image.picture import is_picture_name

    return sorted(
        file for file in folder.iterdir() if is_picture_name(file) and not file.name.startswith(".") and file.is_file()
    )


def _pixels(file: Path, form: Input) -> NDArray[np.uint8]:
    """The pixels of one picture. Where there is nothing to see they are all 0: a test set counts that, too."""
    from edge_digits_runtime.image.picture import open_picture
    from edge_digits_runtime.image.prepare import prepare

    try:
        return prepare(open_picture(file), form).pixels
    except PictureError as error:
        message = str(error)
        raise DataError(message if str(file) in message else f"{file}: {message}") from error


class _Groups:
    """The groups of the pictures in a folder, by the path of each within it."""

    def __init__(self, source: Path, pattern: str | None) -> None:
        self._source = source
        self._pattern = None if pattern is None else re.compile(pattern)
        table = source / GROUPS
        self._listed = _read_groups(table) if pattern is None and table.is_file() else None
        self._used: set[str] = set()

    def of(self, files: Sequence[Path]) -> NDArray[np.str_] | None:
        """The group of each of ``files``, shape ``(n,)``; None where none is known.

        Raises:
            DataError: one file has no group.
        """
        if self._listed is None and self._pattern is None:
            return None
        return np.array([self._group(file.relative_to(self._source).as_posix()) for file in files], np.str_)

    def check_all_used(self) -> None:
        """See that each line of ``groups.csv`` names a picture that is there.

        Raises:
            DataError: one does not.
        """
        for name in self._listed or ():
            if name not in self._used:
                raise DataError(f"{self._source / GROUPS}: no picture {shown(name)} in the data set")

    def _group(self, name: str) -> str:
        if self._pattern is not None:
            match = self._pattern.search(name)
            if match is None or match[1] is None:
                raise DataError(
                    f"{self._source}: the pattern {shown(self._pattern.pattern)} finds no group in {shown(name)}; "
                    "it must in the path of every picture"
                )
            return check_group(self._source, match[1])
        listed = self._listed or {}
        if name not in listed:
            raise DataError(f"{self._source / GROUPS}: no group for {shown(name)}; it needs a line for every picture")
        self._used.add(name)
        return listed[name]


def _read_groups(table: Path) -> Mapping[str, str]:
    """Read ``groups.csv``: the group of each file.

    Raises:
        DataError: it cannot be read, or a line is not a file and a group, or names a file a second time.
    """
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{table}: cannot be read: {first_line(error)}") from error
    try:
        rows = list(csv.reader(lines, strict=True))
    except csv.Error as error:
        raise DataError(f"{table}: not a table of two columns, file and group: {first_line(error)}") from error
    found: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        if not row or (number == 1 and [cell.strip().lower() for cell in row] == _HEADER):
            continue
        if len(row) != 2:
            raise DataError(f"{table}: line {number} has {len(row)} columns; allowed are 2, file and group")
        name = row[0].replace("\\", "/").removeprefix("./")
        if name in found:
            raise DataError(f"{table}: line {number} names {shown(name)} a second time")
        found[name] = check_group(f"{table}: line {number}", row[1])
    return found
