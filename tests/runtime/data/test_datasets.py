"""Splits and data sets, whichever form they were read from."""

import hashlib

import numpy as np
import pytest
from edge_digits_runtime.data import datasets, turns
from edge_digits_runtime.data.classes import in_order
from edge_digits_runtime.data.datasets import DataSet, Split, digest, nothing
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.image.model_input import INK


def _pictures(count: int, seed: int = 0) -> Split:
    """Return ``count`` pictures of noise whose labels are 0 to 9, again and again."""
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 256, (count, 28, 28), np.uint8), (np.arange(count) % 10).astype(np.uint8))


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


def test_a_part_of_a_split_keeps_its_groups() -> None:
    split = Split(*(getattr(_pictures(12), name) for name in ("images", "labels")), np.repeat(["b", "a"], 6))
    assert split.group_names == ("a", "b")
    assert split.take(slice(3)).group_names == ("b",)
    assert split.take(split.labels == 7).groups.tolist() == ["a"]
    assert Split(split.images, split.labels).take([1, 2]).groups is None


def test_labels_become_those_of_a_model_by_name() -> None:
    test = Split(_pictures(4).images, np.array([0, 1, 1, 0], np.uint8))
    dataset = DataSet("mine", nothing(), test, ("blank", "minus"))
    found = dataset.with_labels(("A", "minus", "blank"))
    assert found.classes == ("A", "minus", "blank")
    assert found.test.labels.tolist() == [2, 1, 1, 2]
    with pytest.raises(DataError, match="mine: pictures of minus, which the model does not know; its classes are A"):
        dataset.with_labels(("A", "blank"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["10", "9", "1", "2"], ["1", "2", "9", "10"]),
        (["b", "10", "A", "2", "minus"], ["2", "10", "A", "b", "minus"]),
        (["x10y2", "x2y10", "x2y9", "x"], ["x", "x2y9", "x2y10", "x10y2"]),
        (["1.5", "1.10", "01", "1"], ["01", "1", "1.5", "1.10"]),
    ],
)
def test_names_come_in_order_with_numbers_as_numbers(names: list[str], expected: list[str]) -> None:
    assert in_order(names) == expected
    assert in_order(reversed(names)) == expected


def test_digits_of_a_data_set_are_wheels_that_rest_for_a_model_of_turns() -> None:
    labels = np.array([0, 1, 2], np.uint8)
    split = Split(np.zeros((3, 28, 28), np.uint8), labels)
    classes = (*turns.TENTHS, "blank", "minus")
    found = DataSet("display", split, split, ("0", "7", "blank"), INK).with_labels(classes)
    assert (found.classes, found.test.labels.tolist()) == (classes, [0, 70, 100])
    with pytest.raises(DataError, match="pictures of A"):
        DataSet("letters", split, split, ("0", "1", "A"), INK).with_labels(classes)
