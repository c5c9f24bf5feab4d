"""Data sets of MNIST's IDX files, and one clear line for everything that is wrong with them."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.data.loading import load, load_test
from edge_digits_runtime.errors import DataError
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]


def _same(split: Split, images: NDArray[np.generic], labels: NDArray[np.generic]) -> bool:
    return (
        split.images.dtype == split.labels.dtype == np.uint8
        and np.array_equal(split.images, images)
        and np.array_equal(split.labels, labels)
    )


def _idx(array: NDArray[np.generic]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def idx_folder(tmp_path: Path, arrays: Arrays) -> Path:
    folder = tmp_path / "idx"
    folder.mkdir()
    for split, prefix in (("train", "train"), ("test", "t10k")):
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(_idx(arrays[f"x_{split}"]))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(_idx(arrays[f"y_{split}"]))
    return folder


@pytest.mark.parametrize("spelling", ["train-images-idx3-ubyte", "train-images.idx3-ubyte"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("zipped", [True, False])
def test_idx_files_in_all_spellings(idx_folder: Path, arrays: Arrays, spelling: str, suffix: str, zipped: bool) -> None:
    file = idx_folder / "train-images-idx3-ubyte"
    content = file.read_bytes()
    file.unlink()
    (idx_folder / (spelling + suffix)).write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    found = load(idx_folder)
    assert found.name == "idx"
    assert _same(found.train, arrays["x_train"], arrays["y_train"])
    assert _same(found.test, arrays["x_test"], arrays["y_test"])


def test_idx_test_files_are_enough_to_evaluate(idx_folder: Path, arrays: Arrays) -> None:
    for file in idx_folder.glob("train-*"):
        file.unlink()
    assert _same(load_test(idx_folder).test, arrays["x_test"], arrays["y_test"])
    with pytest.raises(DataError, match=r"idx: train-images-idx3-ubyte is missing"):
        load(idx_folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train-images-idx3-ubyte", b"", "train-images-idx3-ubyte: not an IDX file"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03\0\0", "train-images-idx3-ubyte: not an IDX file"),
        ("train-images-idx3-ubyte", b"\0\0\x0d\x03" + bytes(100), "not an IDX file of unsigned bytes with 3 axes"),
        ("train-images-idx3-ubyte", _idx(np.zeros((30, 28, 28), np.uint8))[:-1], "cut off or too long"),
        ("train-images-idx3-ubyte", _idx(np.zeros((30, 28, 28), np.uint8)) + b"\0", "cut off or too long"),
        ("train-images-idx3-ubyte", _idx(np.zeros((30, 27, 28), np.uint8)), r"pictures of shape \(30, 27, 28\)"),
        (
            "train-images-idx3-ubyte",
            gzip.compress(_idx(np.zeros((30, 28, 28), np.uint8)), mtime=0)[:-9],
            "cannot be read",
        ),
        ("train-images-idx3-ubyte", b"\x1f\x8bnonsense", "train-images-idx3-ubyte: cannot be read"),
        ("train-labels-idx1-ubyte", _idx(np.full(30, 11, np.uint8)), "labels hold 11 at index 0"),
        ("train-labels-idx1-ubyte", _idx(np.zeros(31, np.uint8)), "30 pictures but 31 labels"),
        ("t10k-labels-idx1-ubyte", None, "idx: t10k-labels-idx1-ubyte is missing"),
    ],
)
def test_a_bad_idx_file_is_one_line_that_names_it(
    idx_folder: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is None:
        (idx_folder / name).unlink()
    else:
        (idx_folder / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as error:
        load(idx_folder)
    assert str(error.value).startswith(str(idx_folder))
    assert "\n" not in str(error.value)
