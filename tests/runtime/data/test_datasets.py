"""Data sets that users name: the three forms, and one clear line for everything that is wrong with them."""

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data import datasets
from edge_digits_runtime.data.datasets import DataSet, Split, digest, load, load_test, save_test, split_validation
from edge_digits_runtime.errors import DataError
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Arrays = dict[str, NDArray[np.generic]]


def _pictures(count: int, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 256, (count, 28, 28), np.uint8), (np.arange(count) % 10).astype(np.uint8))


@pytest.fixture
def arrays() -> Arrays:
    train, test = _pictures(30), _pictures(20, seed=1)
    return {"x_train": train.images, "y_train": train.labels, "x_test": test.images, "y_test": test.labels}


def _same(split: Split, images: NDArray[np.generic], labels: NDArray[np.generic]) -> bool:
    return (
        split.images.dtype == split.labels.dtype == np.uint8
        and np.array_equal(split.images, images)
        and np.array_equal(split.labels, labels)
    )


# --- .npz


def test_npz_of_keras(tmp_path: Path, arrays: Arrays) -> None:
    np.savez_compressed(tmp_path / "mine.npz", **arrays)
    found = load(tmp_path / "mine.npz")
    assert found.name == "mine.npz"
    assert _same(found.train, arrays["x_train"], arrays["y_train"])
    assert _same(found.test, arrays["x_test"], arrays["y_test"])


@pytest.mark.parametrize("shape", [(30, 28, 28, 1), (30, 784)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, ">u2"])
def test_npz_of_other_shapes_and_integers(tmp_path: Path, arrays: Arrays, shape: tuple[int, ...], dtype: str) -> None:
    reshaped = {
        "x_train": arrays["x_train"].reshape(shape).astype(dtype),
        "y_train": arrays["y_train"].reshape(-1, 1).astype(dtype),
    }
    np.savez(tmp_path / "mine.npz", **(arrays | reshaped))
    assert _same(load(tmp_path / "mine.npz").train, arrays["x_train"], arrays["y_train"])


def test_a_test_set_alone_is_enough_to_evaluate(tmp_path: Path, arrays: Arrays) -> None:
    np.savez(tmp_path / "test.npz", x_test=arrays["x_test"], y_test=arrays["y_test"])
    found = load_test(tmp_path / "test.npz")
    assert _same(found.test, arrays["x_test"], arrays["y_test"])
    assert len(found.train) == 0
    assert found.train.images.shape == (0, 28, 28)
    with pytest.raises(DataError, match=r"test\.npz: no x_train in it, only x_test, y_test"):
        load(tmp_path / "test.npz")


def test_a_saved_test_set_keeps_its_name_and_pictures(tmp_path: Path) -> None:
    test = _pictures(20)
    save_test(tmp_path / "new" / "copy.npz", DataSet("MNIST", _pictures(30), test))
    found = load_test(tmp_path / "new" / "copy.npz")
    assert found.name == "MNIST"
    assert digest(found.test) == digest(test)
    first = (tmp_path / "new" / "copy.npz").read_bytes()
    save_test(tmp_path / "new" / "copy.npz", DataSet("MNIST", _pictures(30), test))
    assert (tmp_path / "new" / "copy.npz").read_bytes() == first
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy.npz"]


def _without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: value for key, value in arrays.items() if key != name}


def _with(**changed: object) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | {key: np.asarray(value) for key, value in changed.items()}


_LABELS_OUTSIDE = (np.arange(30) % 10).astype(np.int64)
_LABELS_OUTSIDE[7] = 10
_LABELS_NEGATIVE = np.where(np.arange(30) == 3, -1, np.arange(30) % 10)
_PIXELS_OUTSIDE = np.zeros((30, 28, 28), np.int16)
_PIXELS_OUTSIDE[5, 2, 2] = 256


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("x_train"), "no x_train in it, only y_train, x_test, y_test"),
        (_without("y_test"), "no y_test in it"),
        (_with(x_train=np.zeros((30, 32, 32), np.uint8)), r"train: pictures of shape \(30, 32, 32\); allowed is"),
        (_with(x_train=np.zeros((30, 28, 28, 3), np.uint8)), r"train: pictures of shape \(30, 28, 28, 3\)"),
        (_with(x_train=np.zeros((28, 28), np.uint8)), r"train: pictures of shape \(28, 28\)"),
        (_with(x_train=np.uint8(3)), r"train: pictures of shape \(\)"),
        (_with(x_train=np.full((30, 28, 28), 0.5, np.float32)), "train: pictures of type float32; .* 0-255"),
        (_with(x_train=np.zeros((30, 28, 28), bool)), "train: pictures of type bool"),
        (_with(x_train=np.eye(28, dtype=np.uint8)[None].repeat(30, 0)), "train: pixels of 0 and 1 only"),
        (_with(x_train=_PIXELS_OUTSIDE), "train: pictures hold 256 at index 5; allowed is 0-255"),
        (_with(y_train=_LABELS_OUTSIDE), "train: labels hold 10 at index 7; allowed is 0-9"),
        (_with(y_train=_LABELS_NEGATIVE), "train: labels hold -1 at index 3; allowed is 0-9"),
        (_with(y_train=np.eye(10, dtype=np.uint8)[np.arange(30) % 10]), r"train: labels of shape \(30, 10\)"),
        (_with(y_train=np.uint8(1)), r"train: labels of shape \(\)"),
        (_with(y_train=np.arange(30) % 10 / 1.0), "train: labels of type float64"),
        (_with(y_train=np.array(list("0123456789" * 3))), "train: labels of type <U1"),
        (_with(y_train=np.zeros(29, np.uint8)), "train: 30 pictures but 29 labels"),
        (_with(y_train=np.arange(30) % 9), "train: no picture of digit 9; training needs pictures of all ten"),
        (_with(x_test=np.zeros((0, 28, 28), np.uint8), y_test=np.zeros(0, np.uint8)), "test: no pictures in it"),
        (_with(y_train=np.array([None] * 30, object)), "cannot be read: Object arrays cannot be loaded"),
    ],
)
def test_a_bad_npz_is_one_line_that_names_it(
    tmp_path: Path, arrays: Arrays, change: Callable[[Arrays], Arrays], said: str
) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **change(arrays))
    with pytest.raises(DataError, match=said) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [0, 10, 0.3, 0.9, 0.999])
def test_a_cut_off_npz_is_one_line_that_names_it(tmp_path: Path, arrays: Arrays, keep: float) -> None:
    path = tmp_path / "cut.npz"
    np.savez_compressed(path, **arrays)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(DataError, match=r"^[^\n]*cut\.npz: not a \.npz, or cut off[^\n]*$"):
        load(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"'shape': (30, 28, 28)", b"'shape': (30, 28, 28 "),
        (b"'shape': (30, 28, 28)", b"'shape': (99, 99, 99)"),
        (b"'descr': '|u1'", b"'descr': '|u9'"),
        (b"\x93NUMPY", b"\x93DUMPY"),
        (b"PK\x03\x04", b"PK\x03\x05"),
    ],
)
def test_flipped_bytes_inside_an_npz_are_one_line_that_names_it(
    tmp_path: Path, arrays: Arrays, old: bytes, new: bytes
) -> None:
    path = tmp_path / "flipped.npz"
    np.savez(path, **arrays)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(DataError, match=r"^[^\n]*flipped\.npz: [^\n]*$"):
        load(path)


# --- IDX


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


# --- class folders


def _draw(path: Path, digit: int, place: int = 0) -> None:
    """A thick bar whose length tells the digit; ``place`` moves it."""
    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).line((8 + place, 10, 8 + place, 14 + 4 * digit), fill=0, width=5)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _class_folders(root: Path, count: int) -> Path:
    for digit in range(10):
        for number in range(count):
            _draw(root / str(digit) / f"{number:02d}.png", digit, number)
    return root


def test_class_folders_are_read_as_on_the_device(tmp_path: Path) -> None:
    from edge_digits_runtime.image.picture import digit_pixels, open_picture

    _class_folders(tmp_path / "mine" / "train", 2)
    _class_folders(tmp_path / "mine" / "test", 1)
    (tmp_path / "mine" / "train" / "3" / "notes.txt").write_text("not a picture")
    found = load(tmp_path / "mine")
    assert found.name == "mine"
    assert found.train.labels.tolist() == [digit for digit in range(10) for _ in range(2)]
    assert found.test.labels.tolist() == list(range(10))
    expected = digit_pixels(open_picture(tmp_path / "mine" / "train" / "3" / "01.png")).pixels
    assert np.array_equal(found.train.images[7], expected)
    assert expected.max() == 255


def test_class_folders_without_train_and_test_are_split_six_to_one(tmp_path: Path) -> None:
    _class_folders(tmp_path / "mine", 7)
    found = load(tmp_path / "mine")
    assert np.bincount(found.train.labels).tolist() == [6] * 10
    assert np.bincount(found.test.labels).tolist() == [1] * 10
    assert "held-out seventh" in found.name
    # What is evaluated on the device is what training held out.
    assert digest(load_test(tmp_path / "mine").test) == digest(found.test)


def test_a_test_folder_alone_is_enough_to_evaluate(tmp_path: Path) -> None:
    _class_folders(tmp_path / "test", 1)
    assert load_test(tmp_path).test.labels.tolist() == list(range(10))
    with pytest.raises(DataError, match="train: no such folder"):
        load(tmp_path)


def test_bad_class_folders_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    folder = _class_folders(tmp_path / "mine", 2)
    broken = folder / "4" / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    with pytest.raises(DataError, match=r"^[^\n]*broken\.png[^\n]*$"):
        load(folder)
    broken.unlink()
    for file in (folder / "4").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"mine/4: no picture in it"):
        load(folder)
    (folder / "4").rmdir()
    with pytest.raises(DataError, match=r"mine/4: no such class folder"):
        load(folder)


@pytest.mark.parametrize("name", ["absent", "file.txt", "empty"])
def test_what_is_no_data_set_is_one_line_that_names_the_forms(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("text")
    for read in (load, load_test):
        with pytest.raises(DataError, match=rf"{name}: .*; give a Keras-layout \.npz, a folder with .* 0/ \.\.\. 9/"):
            read(tmp_path / name)


# --- splitting and digests


@pytest.mark.parametrize(
    ("counts", "fraction", "held_out"),
    [
        ([10] * 10, 0.1, [1] * 10),
        # 10 of 105 (halves round to even), 1.5 of each digit: of equal remainders the smaller digits go up.
        ([15] * 7, 0.1, [2, 2, 2, 1, 1, 1, 1]),
        # 0.4, 1.0, 1.6 of 30 in all, 3 held out: rounded down that is 0, 1, 1; the remainder 0.6 is the largest.
        ([4, 10, 16], 0.1, [0, 1, 2]),
        # One of each stays for training, whatever the share.
        ([1, 2, 3], 0.9, [0, 1, 2]),
    ],
)
def test_split_validation_by_hand(counts: list[int], fraction: float, held_out: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    train, validation = split_validation(Split(images, labels), fraction, seed=3)
    assert np.bincount(validation.labels, minlength=len(counts)).tolist() == held_out
    assert np.bincount(train.labels).tolist() == [n - h for n, h in zip(counts, held_out, strict=True)]
    # Nothing is lost, nothing is in both, and the order is kept.
    ids = [split.images[:, 0, 0].tolist() for split in (train, validation)]
    assert sorted(ids[0] + ids[1]) == list(range(len(labels)))
    assert all(part == sorted(part) for part in ids)
    assert all(labels[i] == label for i, label in zip(ids[1], validation.labels, strict=True))


def test_split_validation_follows_its_seed() -> None:
    split = _pictures(200)
    digests = [digest(split_validation(split, 0.1, seed)[1]) for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(("count", "fraction"), [(100, 0.0), (100, 1.0), (100, -0.1), (100, float("nan")), (10, 0.1)])
def test_split_validation_says_what_it_cannot_do(count: int, fraction: float) -> None:
    with pytest.raises(DataError, match=r"validation share|too few"):
        split_validation(_pictures(count), fraction, 0)


def test_digest_is_of_image_bytes_then_label_bytes() -> None:
    split = _pictures(12)
    expected = hashlib.sha256(split.images.tobytes() + split.labels.tobytes()).hexdigest()
    assert digest(split) == expected
    # A view with gaps has the digest of what it shows.
    assert digest(Split(split.images[::2], split.labels[::2])) == digest(
        Split(split.images[::2].copy(), split.labels[::2].copy())
    )


def test_reading_arrays_needs_no_picture_code() -> None:
    assert not any(name.startswith("edge_digits_runtime.image.picture") for name in vars(datasets))
