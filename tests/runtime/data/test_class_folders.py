"""Data sets of pictures in class folders, and one clear line for everything that is wrong with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import Grouping, digest
from edge_digits_runtime.data.loading import load, load_test
from edge_digits_runtime.errors import DataError, UsageError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.image.prepare import prepare
from PIL import Image, ImageDraw


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
    from edge_digits_runtime.image.picture import digit_pixels

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


@pytest.mark.parametrize("name", ["absent", "file.txt", "empty"])
def test_what_is_no_data_set_is_one_line_that_names_the_forms(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("text")
    for read in (load, load_test):
        with pytest.raises(DataError, match=rf"{name}: .*; give a Keras-layout \.npz, a folder with .* 0/ \.\.\. 9/"):
            read(tmp_path / name)


# --- classes of any names, and groups

NAMES = ("A", "blank", "minus", "10", "2")


def _own(root: Path, count: int = 7, names: tuple[str, ...] = NAMES) -> Path:
    """Class folders of ``names``, each with pictures ``ann_0.png``, ``bob_1.png``, ... of writers in turn."""
    for index, name in enumerate(names):
        for number in range(count):
            _draw(root / name / f"{('ann', 'bob', 'cem')[number % 3]}_{number}.png", index, number)
    return root


def test_classes_are_the_folders_in_order_with_numbers_as_numbers(tmp_path: Path) -> None:
    folder = _own(tmp_path / "mine")
    (folder / ".cache").mkdir()
    (folder / "notes.txt").write_text("no class")
    found = load(folder)
    assert found.classes == ("2", "10", "A", "blank", "minus")
    assert np.bincount(found.train.labels).tolist() == [6] * 5
    expected = prepare(open_picture(folder / "2" / "ann_0.png")).pixels
    assert any(np.array_equal(expected, pixels) for split in (found.train, found.test) for pixels in split.images)


def test_a_folder_of_whole_pictures_is_read_as_on_the_device(tmp_path: Path) -> None:
    form = Input("crop", 32, 20)
    _own(tmp_path / "mine" / "train", 2)
    _own(tmp_path / "mine" / "test", 1, NAMES[:2])
    found = load(tmp_path / "mine", form)
    assert found.train.images.shape == (10, 32, 20)
    assert found.test.labels.tolist() == [2, 3]
    expected = prepare(open_picture(tmp_path / "mine" / "train" / "10" / "bob_1.png"), form).pixels
    assert np.array_equal(found.train.images[3], expected)


def test_a_name_means_the_same_whichever_way_it_is_composed(tmp_path: Path) -> None:
    composed, decomposed = "\u00fc", "u\u0308"
    _own(tmp_path / "train", 2, (decomposed, "b"))
    _own(tmp_path / "test", 1, (composed,))
    found = load(tmp_path)
    assert found.classes == ("b", composed)
    assert found.test.labels.tolist() == [1]


def test_groups_are_found_by_a_pattern(tmp_path: Path) -> None:
    found = load(_own(tmp_path / "mine"), grouping=Grouping("([a-z]+)_[0-9]+"))
    assert (found.train.group_names, found.test.group_names) == (("ann", "bob"), ("cem",))
    assert found.name == "mine (held-out groups)"
    asked = load(tmp_path / "mine", grouping=Grouping("([a-z]+)_[0-9]+", ("ann",)))
    assert (asked.train.group_names, asked.test.group_names) == (("bob", "cem"), ("ann",))
    tested = load_test(tmp_path / "mine", grouping=Grouping("([a-z]+)_[0-9]+", ("ann",)))
    assert digest(tested.test) == digest(asked.test)


def _table(folder: Path, change: Callable[[list[str]], list[str]] = lambda lines: lines) -> None:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    lines = ["file,group", *(f"{file},{file[-5]}" for file in files)]
    (folder / "groups.csv").write_text("\n".join(change(lines)) + "\n", encoding="utf-8")


def test_groups_are_read_from_a_table(tmp_path: Path) -> None:
    folder = _own(tmp_path / "mine")
    _table(folder)
    found = load(folder)
    assert sorted([*found.train.group_names, *found.test.group_names]) == list("0123456")
    assert np.bincount(found.test.labels).tolist() == [1] * 5
    # What is asked for goes before the table.
    assert load(folder, grouping=Grouping("(ann|bob|cem)")).test.group_names == ("cem",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "groups.csv: no group for 'minus/cem_5.png'; it needs a line for every picture"),
        (lambda lines: [*lines, "A/gone.png,1"], "groups.csv: no picture 'A/gone.png' in the data set"),
        (lambda lines: [*lines, lines[-1]], "groups.csv: line 37 names 'minus/cem_5.png' a second time"),
        (lambda lines: [*lines[:3], "A/ann_0.png", *lines[3:]], "groups.csv: line 4 has 1 columns; allowed are 2"),
        (lambda lines: [*lines, 'A/"b.png,"1'], "groups.csv: not a table of two columns, file and group: unexpected"),
        (lambda lines: [f"{line},1" for line in lines], "groups.csv: line 1 has 3 columns"),
        (lambda lines: [f"{line.split(',')[0]}," for line in lines[1:]], "groups.csv: line 1: a group ''"),
        (lambda lines: [f"{line.split(',')[0]},x" for line in lines[1:]], "none of the 1 groups can be held out"),
        (lambda lines: [f"{line.split(',')[0]},\x07" for line in lines[1:]], r"a group '\\x07'"),
        (lambda lines: [f"{line.split(',')[0]},{'g' * 999}" for line in lines[1:]], "a group 'ggg.*1 to 200"),
    ],
)
def test_a_bad_table_of_groups_is_one_line(tmp_path: Path, change: Callable[[list[str]], list[str]], said: str) -> None:
    folder = _own(tmp_path / "mine")
    _table(folder, change)
    with pytest.raises(DataError, match=said) as error:
        load(folder)
    assert "\n" not in str(error.value)


def test_a_table_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    folder = _own(tmp_path / "mine")
    (folder / "groups.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match=r"groups\.csv: cannot be read"):
        load(folder)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(unclosed", "is no regular expression: missing \\), unterminated"),
        ("[a-z]+_", "says no group; put parentheses around it"),
    ],
)
def test_a_pattern_that_is_none_is_one_line(pattern: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Grouping(pattern)


@pytest.mark.parametrize(
    ("grouping", "said"),
    [
        (Grouping("(dora)"), "finds no group in '2/ann_0.png'"),
        (Grouping("ann|(bob)"), "finds no group in '2/ann_0.png'"),
        (Grouping(test=("ann",)), "no groups are known: give a groups.csv"),
        (Grouping("^([^/]+)/"), "none of the 5 groups can be held out"),
        (Grouping("^([^/]+)/", ("A",)), "without the test groups no picture of 1 of the 5 classes is left"),
        (Grouping("([a-z]+)_[0-9]+", ("ann", "bob", "cem")), "all groups are test groups"),
    ],
)
def test_groups_that_do_not_fit_are_one_line(tmp_path: Path, grouping: Grouping, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        load(_own(tmp_path / "mine"), grouping=grouping)
    assert "\n" not in str(error.value)


def test_a_group_under_train_and_test_is_refused(tmp_path: Path) -> None:
    _own(tmp_path / "train", 3)
    _own(tmp_path / "test", 2)
    with pytest.raises(DataError, match="group ann is among both the training and the test pictures, and so are 1"):
        load(tmp_path, grouping=Grouping("([a-z]+)_[0-9]+"))
    with pytest.raises(DataError, match="has a test/ of its own"):
        load(tmp_path, grouping=Grouping("([a-z]+)_[0-9]+", ("ann",)))


@pytest.mark.parametrize(
    ("names", "count", "said"),
    [
        (("A",), 7, "mine: 1 class; allowed are 2 to 128"),
        (tuple(map(str, range(200))), 1, "mine: 200 classes; allowed are 2 to 128"),
        (("A", "x" * 41), 7, "a class of the name 'xxxx.*allowed are 1 to 40 printable characters"),
        (("A", "back\\slash"), 7, "a class of the name .*no / or"),
        (("A", "tab\tbed"), 7, r"a class of the name 'tab\\tbed'"),
        (("A", " B"), 7, "a class of the name ' B'.*no space at either end"),
        (("A", "\u202eevil"), 7, r"a class of the name '\\u202eevil'"),
        (("A", "u\u0308", "\u00fc"), 7, "two classes of the name 'ü'"),
        (("A", "B"), 1, "mine: one picture of class A; training needs pictures of every class, at least 2"),
    ],
)
def test_bad_class_folders_are_one_line_that_says_what_is_allowed(
    tmp_path: Path, names: tuple[str, ...], count: int, said: str
) -> None:
    with pytest.raises(DataError, match=said) as error:
        load(_own(tmp_path / "mine", count, names))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_emoji_are_names_as_good_as_others(tmp_path: Path) -> None:
    family = "\U0001f469\u200d\U0001f52c"
    assert load(_own(tmp_path, 7, (family, "\u2764\ufe0f"))).classes == ("\u2764\ufe0f", family)
