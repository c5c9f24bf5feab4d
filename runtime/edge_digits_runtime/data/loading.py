"""Pictures with labels from a file or folder that the user names, on the workstation and on the device alike.

These forms are read, with numpy and Pillow only:

- a ``.npz``, see `edge_digits_runtime.data.npz`;
- a folder with the four IDX files of MNIST, see `edge_digits_runtime.data.idx`;
- a folder of class folders of pictures, see `edge_digits_runtime.data.class_folders`;
- for a reader of lines, a ``.npz`` or a folder of pictures with their texts, see
  `edge_digits_runtime.data.line_folders`.

Pictures go through `edge_digits_runtime.image.prepare` exactly as on the device.
"""

import dataclasses
import os
from pathlib import Path

from edge_digits_runtime.data import class_folders, idx, line_folders, npz
from edge_digits_runtime.data.datasets import NO_GROUPING, DataSet, Grouping
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.model_input import INK, Input

FORMS = (
    "a Keras-layout .npz, a folder with the four MNIST IDX files, or a folder of class folders such as 0/ ... 9/ "
    "or A/ ... Z/"
)
LINE_FORMS = "a .npz with images and labels, which are texts, or a folder of pictures with a lines.csv of file,text"


def load(source: str | os.PathLike[str], form: Input = INK, grouping: Grouping = NO_GROUPING) -> DataSet:
    """Read training and test pictures in any of the three forms.

    A source that does not say which pictures are for testing is split by a seeded, stratified draw, 6 to 1; where the
    groups of its pictures are known, by whole groups.

    Args:
        source: a file or folder.
        form: how its pictures become pixels. Pictures in arrays are in the frame of MNIST already for ``ink``.
        grouping: of the pictures.

    Raises:
        DataError: missing, unreadable, of another form, shape, type or range, with fewer than two pictures of a
            class, or a group among both the training and the test pictures; the message names the file.
    """
    return _load(source, form, grouping, need_train=True)


def load_test(source: str | os.PathLike[str], form: Input = INK, grouping: Grouping = NO_GROUPING) -> DataSet:
    """Read the test pictures alone; ``train`` of the result is empty, and need not be there in the source.

    The test pictures are those of `load`, so what was trained with a source can be evaluated on it. Of class
    folders without ``train/`` and ``test/`` above that is the held-out seventh; to evaluate every picture, put
    the class folders into a folder ``test``.

    Raises:
        DataError: as `load`.
    """
    return _load(source, form, grouping, need_train=False)


def _load(source: str | os.PathLike[str], form: Input, grouping: Grouping, need_train: bool) -> DataSet:
    return dataclasses.replace(_read(Path(source), form, grouping, need_train), grouping=grouping)


def _read(path: Path, form: Input, grouping: Grouping, need_train: bool) -> DataSet:
    if form.kind == "line" and (grouping.pattern is not None or grouping.test):
        raise DataError(f"{path}: lines have no groups; leave the options for groups out")
    if form.kind == "line" and path.is_dir():
        if not line_folders.is_folder(path):
            raise DataError(f"{path}: no {line_folders.TEXTS} in it; give {LINE_FORMS}")
        return line_folders.load(path, form)
    if path.is_file():
        _refuse_pattern(path, grouping)
        return npz.load(path, form, grouping.test, need_train, LINE_FORMS if form.kind == "line" else FORMS)
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; give {FORMS}")
    if idx.is_folder(path):
        _refuse_pattern(path, grouping)
        if grouping.test:
            raise DataError(f"{path}: IDX files know no groups; test groups need class folders or a .npz")
        return idx.load(path, form, need_train)
    if class_folders.is_folder(path):
        return class_folders.load(path, form, grouping.pattern, grouping.test, need_train)
    raise DataError(f"{path}: holds no data set; give {FORMS}")


def _refuse_pattern(path: Path, grouping: Grouping) -> None:
    if grouping.pattern is not None:
        raise DataError(f"{path}: its pictures have no file names to find groups in; give groups in a .npz")
