"""Which pictures are held out."""

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import Split, digest
from edge_digits_runtime.data.splitting import split_validation
from edge_digits_runtime.errors import DataError


def _pictures(count: int, seed: int = 0) -> Split:
    """Return ``count`` pictures of noise whose labels are 0 to 9, again and again."""
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 256, (count, 28, 28), np.uint8), (np.arange(count) % 10).astype(np.uint8))


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


# --- whole groups


def _grouped(sizes: list[int], classes: int = 3) -> Split:
    """Groups ``g0``, ``g1``, ... of these sizes, with labels 0, 1, 2, ... in turn."""
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    labels = (np.arange(len(groups)) % classes).astype(np.uint8)
    images = np.arange(len(groups), dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    return Split(images, labels, groups)


@pytest.mark.parametrize(
    ("sizes", "fraction", "held_out"),
    [
        ([10] * 10, 0.1, 10),
        ([10] * 10, 0.25, 20),
        ([30, 30, 30, 5, 5], 0.1, 10),
        # A group larger than the share is better than none.
        ([50, 50], 0.1, 50),
        ([97, 3], 0.1, 3),
        ([1] * 60, 1 / 3, 20),
    ],
)
def test_held_out_groups_are_as_near_to_the_share_as_they_allow(
    sizes: list[int], fraction: float, held_out: int
) -> None:
    split = _grouped(sizes)
    for seed in range(5):
        train, validation = split_validation(split, fraction, seed)
        assert len(validation) == held_out
        assert not set(train.group_names) & set(validation.group_names)
        assert len(train) + len(validation) == len(split)
        assert set(train.labels.tolist()) == {0, 1, 2}


def test_a_group_with_the_only_pictures_of_a_class_stays_for_training() -> None:
    split = _grouped([10] * 4)
    labels = split.labels.copy()
    labels[:10] = 3
    for seed in range(20):
        train, validation = split_validation(Split(split.images, labels, split.groups), 0.25, seed)
        assert "g0" in train.group_names
        assert len(validation) == 10


def test_folds_of_groups_have_no_group_in_common() -> None:
    split = _grouped([10] * 12)
    folds = [split_validation(split, 0.25, 0, fold)[1].group_names for fold in range(4)]
    assert sorted(name for fold in folds for name in fold) == sorted(split.group_names)


def test_groups_are_drawn_by_the_seed() -> None:
    split = _grouped([10] * 20)
    drawn = [split_validation(split, 0.1, seed)[1].group_names for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_groups_that_cannot_be_held_out_are_one_line() -> None:
    split = _grouped([10])
    with pytest.raises(DataError, match="none of the 1 groups can be held out"):
        split_validation(split, 0.1, 0)
