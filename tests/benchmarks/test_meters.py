"""The data sets of the benchmarks on meters."""

import re
from pathlib import Path

import meters
import new_meter
import numpy as np
import pytest
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.data.loading import load

SPLIT = {"held_out": ["b"], "left_out": []}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file as it is published: 40 pictures of noise of the meters a and b, with tenths 0, 25, 50, 75, 99, ..."""
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 20, 3), np.uint8)
    tenths = np.array([0, 9, 10, 11, 12, 89, 99, 98, 55, 50] * 4, np.uint8)
    np.savez(tmp_path / "published.npz", images=images, tenths=tenths, meter=np.repeat(["a", "b"], 20))
    return tmp_path / "published.npz"


def test_a_wheel_rests_a_tenth_from_its_digit_and_at_nine_tenths_shows_the_next(published: Path) -> None:
    found = meters.resting(published)
    assert found.labels.tolist() == [0, 1, 1, 1, 9, 0, 5] * 4
    assert found.names is not None
    assert found.names[:7].tolist() == ["0", "1", "2", "3", "5", "6", "9"]
    assert found.group_names == ("a", "b")


def test_the_data_set_is_one_that_train_reads(published: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs" / "resting.npz"
    meters.write_data(published, path, SPLIT)
    with np.load(path) as stored:
        assert stored["images"].shape == (28, 32, 20)
        assert stored["groups"].tolist() == ["a"] * 14 + ["b"] * 14


def test_a_picture_like_one_held_out_must_be_left_out(published: Path, tmp_path: Path) -> None:
    with np.load(published) as stored:
        arrays = dict(stored)
    arrays["images"][2] = arrays["images"][29] // 2 + 20
    np.savez(published, **arrays)
    with pytest.raises(SystemExit, match=re.escape("left_out must be [2]")):
        meters.write_data(published, tmp_path / "resting.npz", SPLIT)
    meters.write_data(published, tmp_path / "resting.npz", SPLIT | {"left_out": [2]})
    with np.load(tmp_path / "resting.npz") as stored:
        assert len(stored["images"]) == 27


def test_the_split_names_five_meters() -> None:
    import tomllib

    found = tomllib.loads(meters.SPLIT.read_text(encoding="utf-8"))
    assert (len(found["held_out"]), found["left_out"]) == (5, [])


def test_a_few_pictures_are_a_data_set_of_the_classes_that_they_show(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 20), np.uint8)
    chosen = Split(images[:10], np.array([10, 10, 3, 3, 3, 7, 7, 7, 7, 0], np.uint8))
    test = Split(images[10:], (np.arange(30) % 11).astype(np.uint8))
    new_meter.write_set(tmp_path / "new.npz", chosen, test)
    found = load(tmp_path / "new.npz", meters.FORM)
    # The single 0 is too few.
    assert found.classes == ("3", "7", "blank")
    assert found.train.labels.tolist() == [2, 2, 0, 0, 0, 1, 1, 1, 1]
    assert len(found.test) == 3 + 3 + 2


def test_ten_pictures_are_two_of_five_classes_and_more_are_even() -> None:
    labels = np.random.default_rng(1).integers(0, 10, 400).astype(np.uint8)
    order = new_meter.drawing_order(labels, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(400))
    assert sorted(np.bincount(labels[order[:10]], minlength=10).tolist()) == [0] * 5 + [2] * 5
    assert np.bincount(labels[order[:20]]).tolist() == [2] * 10
    assert np.bincount(labels[order[:100]]).tolist() == [10] * 10
    assert order.tolist() != new_meter.drawing_order(labels, np.random.default_rng(1)).tolist()
