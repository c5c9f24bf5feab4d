"""Data sets of lines: a folder with a table of texts, a .npz, and what is wrong with either."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data import loading
from edge_digits_runtime.data.datasets import Grouping, digest
from edge_digits_runtime.data.npz import save_test
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.line import prepare_line
from edge_digits_runtime.image.model_input import LINE_SHAPE, Input
from PIL import Image

LINE = Input("line", *LINE_SHAPE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("1.png", "2.png"):
        Image.fromarray(rng.integers(0, 256, (40, 90), np.uint8)).save(tmp_path / name)
    (tmp_path / "lines.csv").write_text("file,text\n1.png,-12.5\n2.png,\n", encoding="utf-8")
    return tmp_path


def test_a_folder_is_read_and_saved_and_read_again(folder: Path, tmp_path: Path) -> None:
    dataset = loading.load_test(folder, LINE)
    assert dataset.test.labels.tolist() == ["-12.5", ""]
    assert dataset.classes == tuple("-.125")
    first = np.asarray(Image.open(folder / "1.png"))
    np.testing.assert_array_equal(dataset.test.images[0], prepare_line(first))
    save_test(tmp_path / "saved.npz", dataset)
    again = loading.load_test(tmp_path / "saved.npz", LINE)
    # Pixels that are prepared already stay as they are.
    assert digest(again.test) == digest(dataset.test)
    assert again.with_labels(tuple("0123456789.-")).test.labels.tolist() == ["-12.5", ""]
    with pytest.raises(DataError, match="which the model does not know"):
        again.with_labels(tuple("0123456789."))


def test_pictures_in_arrays_become_pixels(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (2, 50, 70), np.uint8)
    np.savez(tmp_path / "lines.npz", images=pictures, labels=np.array(["7", "8"]))
    test = loading.load_test(tmp_path / "lines.npz", LINE).test
    np.testing.assert_array_equal(test.images[1], prepare_line(pictures[1]))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "begins with nothing; wanted is file,text"),
        ("a,b\n1.png,2\n", "begins with a,b"),
        ("file,text\n", "no lines in it"),
        ("file,text\n1.png\n", "line 2 has 1 columns"),
        ("file,text\n../1.png,2\n", "is not within"),
        ("file,text\nabsent.png,2\n", "absent.png"),
        ("file,text\n1.png,1  2\n", "a line that says '1  2'"),
        (f"file,text\n1.png,{'1' * 201}\n", "at most 200"),
        ("file,text\n1.png,\x07\n", "printable"),
    ],
    ids=range(9),
)
def test_a_table_that_does_not_fit_is_refused(folder: Path, table: str, words: str) -> None:
    (folder / "lines.csv").write_text(table, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        loading.load_test(folder, LINE)


def test_other_sources_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lines have no groups"):
        loading.load_test(folder, LINE, Grouping("(.)"))
    (folder / "lines.csv").unlink()
    with pytest.raises(DataError, match=r"no lines\.csv in it"):
        loading.load_test(folder, LINE)
    np.savez(tmp_path / "digits.npz", images=np.zeros((2, 32, 264), np.uint8) + 9, labels=np.array([1, 2]))
    with pytest.raises(DataError, match="of lines, allowed is text"):
        loading.load_test(tmp_path / "digits.npz", LINE)
