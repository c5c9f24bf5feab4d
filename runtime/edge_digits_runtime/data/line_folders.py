"""Pictures of lines in a folder, with a file ``lines.csv`` of two columns that says what is written in each.

    file,text
    monday/1.png,-12.5
    monday/2.png,20/07/2021

All of them are for testing: readers of lines are trained on lines that are made.
"""

import csv
from pathlib import Path

import numpy as np

from edge_digits_runtime.data.checks import check_texts
from edge_digits_runtime.data.datasets import DataSet, Split, nothing
from edge_digits_runtime.errors import DataError, PictureError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.library_errors import first_line

TEXTS = "lines.csv"
_HEADER = ["file", "text"]


def is_folder(path: Path) -> bool:
    """Whether there is a `TEXTS` in ``path``."""
    return (path / TEXTS).is_file()


def load(path: Path, form: Input) -> DataSet:
    """Read a folder.

    Raises:
        DataError: `TEXTS` or a picture cannot be read, or does not fit; the message names the file.
    """
    # Picture code is imported here alone, so that a reader of arrays needs none of it.
    from edge_digits_runtime.image.picture import open_picture
    from edge_digits_runtime.image.prepare import prepare

    rows = _rows(path / TEXTS)
    pixels = []
    for file, _ in rows:
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise DataError(f"{path / TEXTS}: {file!r:.60} is not within {path}; give paths within the folder")
        try:
            pixels.append(prepare(open_picture(path / file), form).pixels)
        except PictureError as error:
            raise DataError(str(error)) from error
    texts = check_texts(str(path / TEXTS), np.array([text for _, text in rows], np.str_))
    names = np.array([file for file, _ in rows], np.str_)
    test = Split(np.stack(pixels), texts, None, names)
    return DataSet(path.resolve().name, nothing(form), test, characters(test), form)


def characters(split: Split) -> tuple[str, ...]:
    """Return the characters of the texts of a split, sorted."""
    return tuple(sorted(set("".join(split.labels.tolist()))))


def _rows(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}") from error
    if not rows or rows[0] != _HEADER:
        raise DataError(f"{path}: begins with {','.join(rows[0]) if rows else 'nothing':.60}; wanted is file,text")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(_HEADER):
            raise DataError(f"{path}: line {number} has {len(row)} columns; allowed are 2, as in 1.png,-12.5")
    if len(rows) == 1:
        raise DataError(f"{path}: no lines in it")
    return [(file, text) for file, text in rows[1:]]
