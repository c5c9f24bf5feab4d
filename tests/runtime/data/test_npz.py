"""Data sets in one .npz, and one clear line for everything that is wrong with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet, Grouping, Split, digest
from edge_digits_runtime.data.loading import load, load_test
from edge_digits_runtime.data.npz import save_test
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.prepare import prepare
from numpy.typing import NDArray
from PIL import Image

Arrays = dict[str, NDArray[np.generic]]


def _pictures(count: int, seed: int = 0) -> Split:
    """Return ``count`` pictures of noise whose labels are 0 to 9, again and again."""
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 256, (count, 28, 28), np.uint8), (np.arange(count) % 10).astype(np.uint8))


def _same(split: Split, images: NDArray[np.generic], labels: NDArray[np.generic]) -> bool:
    return (
        split.images.dtype == split.labels.dtype == np.uint8
        and np.array_equal(split.images, images)
        and np.array_equal(split.labels, labels)
    )


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
        (
            _with(y_train=np.arange(30) % 9),
            "train: no picture of class 9; training needs pictures of every class",
        ),
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


# --- class names, groups, and files without a split

_LETTERS = np.array(["A", "B", "minus", "blank"])
_LABELS = (np.arange(40) % 4).astype(np.uint8)
_WRITERS = np.repeat(["ann", "bob", "cem", "dora", "eve", "fay", "gil", "hal"], 5)


def _unsplit(**changed: object) -> Arrays:
    images = np.random.default_rng(2).integers(0, 256, (40, 32, 20), np.uint8)
    return {"images": images, "labels": _LABELS, "class_names": _LETTERS, "groups": _WRITERS} | {
        key: np.asarray(value) for key, value in changed.items()
    }


def test_an_npz_without_a_split_is_split_by_whole_groups(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **_unsplit())
    form = Input("crop", 32, 20)
    found = load(tmp_path / "mine.npz", form)
    assert (found.classes, found.input, found.name) == (tuple(_LETTERS), form, "mine.npz (held-out groups)")
    assert (len(found.train), len(found.test)) == (35, 5)
    assert not set(found.train.group_names) & set(found.test.group_names)
    assert digest(load_test(tmp_path / "mine.npz", form).test) == digest(found.test)


def test_test_groups_are_those_that_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **_unsplit())
    found = load(tmp_path / "mine.npz", Input("crop", 32, 20), Grouping(test=("bob", "gil")))
    assert found.test.group_names == ("bob", "gil")
    assert len(found.test) == 10


def test_pictures_of_another_size_are_scaled_as_a_picture_is(tmp_path: Path) -> None:
    arrays = _unsplit()
    np.savez(tmp_path / "mine.npz", **arrays)
    found = load(tmp_path / "mine.npz", Input("crop", 24, 16), Grouping(test=("bob",)))
    picture = Image.fromarray(arrays["images"][5])
    assert np.array_equal(found.test.images[0], prepare(picture, Input("crop", 24, 16)).pixels)


def test_a_saved_test_set_keeps_classes_groups_and_pixels(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **_unsplit())
    form = Input("crop", 28, 28)
    dataset = load(tmp_path / "mine.npz", form)
    save_test(tmp_path / "copy.npz", dataset)
    found = load_test(tmp_path / "copy.npz", form)
    assert (found.classes, found.name, found.test.group_names) == (
        dataset.classes,
        dataset.name,
        dataset.test.group_names,
    )
    assert digest(found.test) == digest(dataset.test)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"class_names": ["A"]}, "1 class; allowed are 2 to 128"),
        ({"class_names": [str(i) for i in range(200)]}, "200 classes; allowed are 2 to 128"),
        ({"class_names": ["A", "B", "A", "C"]}, "two classes of the name 'A'"),
        ({"class_names": ["A", "B", "C", "x" * 10_000]}, "a class of the name 'xxx.*allowed are 1 to 40 printable"),
        ({"class_names": ["A", "B", "C", "a/b"]}, "a class of the name 'a/b'"),
        ({"class_names": ["A", "B", "C", "a\nb"]}, r"a class of the name 'a\\nb'"),
        ({"class_names": [0, 1, 2, 3]}, "class_names of type int64"),
        ({"class_names": [["A", "B"], ["C", "D"]]}, r"class_names of type <U1 of shape \(2, 2\)"),
        ({"class_names": "ABCD"}, r"class_names of type <U4 of shape \(\)"),
        ({"labels": np.full(40, 4)}, "labels hold 4 at index 0; allowed is 0-3"),
        ({"labels": np.minimum(np.arange(40), 3)}, "one picture of class A; training needs .* at least 2"),
        ({"labels": np.arange(40) % 3}, "no picture of class blank"),
        ({"groups": _WRITERS[:-1]}, "40 pictures but 39 groups"),
        ({"groups": np.full(40, "all")}, "none of the 1 groups can be held out"),
        ({"groups": _LABELS}, "none of the 4 groups can be held out: without it a class has no pictures left"),
        ({"groups": np.zeros((40, 2), int)}, r"groups of type int64 of shape \(40, 2\); allowed is \(n,\)"),
        ({"groups": np.linspace(0, 1, 40)}, "groups of type float64"),
        ({"groups": np.full(40, "")}, "a group ''; allowed are 1 to 200 printable"),
        ({"groups": np.full(40, "a\x1b[31m")}, r"a group 'a\\x1b\[31m'"),
        ({"images": np.zeros((40, 32, 20, 3), np.uint8)}, "pictures of shape .*, 3"),
        ({"images": np.zeros((40, 1, 5000), np.uint8)}, "pictures of shape .*; allowed .* 1 to 4096 pixels a side"),
    ],
)
def test_bad_classes_and_groups_are_one_line_that_names_the_file(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **_unsplit(**changed))
    with pytest.raises(DataError, match=said) as error:
        load(path, Input("crop", 32, 20))
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (("zoe",), "no group 'zoe'; there are ann, bob, cem"),
        (tuple(np.unique(_WRITERS).tolist()), "all groups are test groups"),
    ],
)
def test_test_groups_that_do_not_fit_are_one_line(tmp_path: Path, groups: tuple[str, ...], said: str) -> None:
    np.savez(tmp_path / "mine.npz", **_unsplit())
    with pytest.raises(DataError, match=said):
        load(tmp_path / "mine.npz", Input("crop", 32, 20), Grouping(test=groups))


def test_a_group_among_training_and_test_pictures_is_refused(tmp_path: Path, arrays: Arrays) -> None:
    groups = {"groups_train": np.arange(30) // 3, "groups_test": np.arange(20) // 2 + 9}
    np.savez(tmp_path / "mine.npz", **arrays, **groups)
    with pytest.raises(DataError, match="group 9 is among both the training and the test pictures"):
        load(tmp_path / "mine.npz")
    with pytest.raises(DataError, match="has test pictures of its own"):
        load(tmp_path / "mine.npz", grouping=Grouping(test=("1",)))
    with pytest.raises(DataError, match="no file names to find groups in"):
        load(tmp_path / "mine.npz", grouping=Grouping("(.)"))


def test_pictures_of_another_size_need_crop(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **_unsplit())
    with pytest.raises(DataError, match=r"pictures of shape \(40, 32, 20\); .*--input crop"):
        load(tmp_path / "mine.npz")
