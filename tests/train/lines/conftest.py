"""A small library for all tests of lines: a few hundred digits, six fonts of each kind."""

from pathlib import Path

import pytest
from edge_digits_train.lines import library
from edge_digits_train.lines.library import Library, Size

SIZE = Size(mnist=200, drawn=60, faces=6)


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines") / "library"
    library.build(folder, SIZE)
    return folder


@pytest.fixture(scope="session")
def stored(library_folder: Path) -> Library:
    return library.load(library_folder)
