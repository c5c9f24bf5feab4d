"""The pictures and targets of an epoch."""

import dataclasses

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import Split
from edge_digits_train.augment.augmentation import Augmentation
from edge_digits_train.augment.corruption import corrupt
from edge_digits_train.data import mnist
from edge_digits_train.engine import teachers
from edge_digits_train.engine.epoch_data import EpochData, epoch_size, label_targets, make_epoch_data
from edge_digits_train.recipes.recipe import Recipe

NO_DIGIT = 10
_FIELDS = ("images", "labels", "targets")


@pytest.fixture(scope="module")
def split() -> Split:
    """200 pictures of MNIST."""
    train = mnist.load().train
    return Split(train.images[:200], train.labels[:200])


@pytest.fixture
def plain(linear: Recipe) -> Recipe:
    """A recipe that shows the training pictures in another order each epoch, and does nothing else to them."""
    return linear


SETTINGS: dict[str, dict[str, object]] = {
    "plain": {},
    "augmented": {"augmentation": Augmentation()},
    "with outliers": {"outliers": 0.2},
    "corrupted": {"corruption": 0.3},
    "taught": {"distillation": 0.5},
    "all": {"augmentation": Augmentation(), "outliers": 0.2, "corruption": 0.3, "distillation": 0.5},
}


def same(a: EpochData, b: EpochData, *fields: str) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in fields or _FIELDS)


@pytest.mark.parametrize("setting", SETTINGS)
def test_recipe_epoch_and_split_decide_every_bit(plain: Recipe, split: Split, setting: str) -> None:
    recipe = dataclasses.replace(plain, **SETTINGS[setting])  # type: ignore[arg-type]
    before = split.images.copy()
    first = make_epoch_data(recipe, 3, split)
    np.random.seed(1)  # noqa: NPY002
    assert same(make_epoch_data(recipe, 3, split), first)
    assert not same(make_epoch_data(recipe, 4, split), first, "labels")
    assert not same(make_epoch_data(dataclasses.replace(recipe, seed=8), 3, split), first, "labels")
    assert np.array_equal(split.images, before)
    assert first.images.dtype == first.labels.dtype == np.uint8
    assert first.targets.dtype == np.float32
    assert {len(getattr(first, name)) for name in _FIELDS} == {epoch_size(recipe, len(split))}


def test_an_epoch_shows_every_picture_once_with_its_label(plain: Recipe, split: Split) -> None:
    data = make_epoch_data(plain, 0, split)
    shown = sorted((image.tobytes(), label) for image, label in zip(data.images, data.labels, strict=True))
    assert shown == sorted((image.tobytes(), label) for image, label in zip(split.images, split.labels, strict=True))
    np.testing.assert_array_equal(data.targets, np.eye(10)[data.labels])


def test_augmentation_leaves_the_order_as_it_is(plain: Recipe, split: Split) -> None:
    data = make_epoch_data(plain, 0, split)
    augmented = make_epoch_data(dataclasses.replace(plain, augmentation=Augmentation()), 0, split)
    assert same(augmented, data, "labels", "targets")
    # A tenth of the pictures stays as it is.
    assert 0.8 < (augmented.images != data.images).any(axis=(1, 2)).mean() < 1


def test_outliers_are_mixed_in_and_drawn_anew(plain: Recipe, split: Split) -> None:
    recipe = dataclasses.replace(plain, outliers=0.2)
    # 50 of 250 are a fifth.
    assert (epoch_size(plain, 200), epoch_size(recipe, 200)) == (200, 250)
    epochs = [make_epoch_data(recipe, index, split) for index in (0, 1)]
    for data in epochs:
        assert np.bincount(data.labels).tolist() == [*np.bincount(split.labels).tolist(), 50]
        np.testing.assert_allclose(data.targets[data.labels == NO_DIGIT], 0.1)
        # They stand anywhere among the digits.
        assert 12 < (data.labels[:125] == NO_DIGIT).sum() < 38
    drawn = [{image.tobytes() for image in data.images[data.labels == NO_DIGIT]} for data in epochs]
    # Only the letters, two in five, are drawn from a store that both epochs share.
    assert len(drawn[0] & drawn[1]) < 25


def test_corruption_comes_last_and_teachers_see_the_picture_before_it(plain: Recipe, split: Split) -> None:
    clean = dataclasses.replace(plain, augmentation=Augmentation(), outliers=0.2, distillation=0.5)
    before = make_epoch_data(clean, 2, split)
    data = make_epoch_data(dataclasses.replace(clean, corruption=0.5), 2, split)
    assert same(data, before, "labels", "targets")
    np.testing.assert_array_equal(data.images, corrupt(before.images, np.random.default_rng((7, 2, 2)), 0.5))
    assert 0.3 < (data.images != before.images).any(axis=(1, 2)).mean() < 0.6
    digits = before.labels != NO_DIGIT
    np.testing.assert_array_equal(data.targets[:, :10], label_targets(data.labels, 10))
    np.testing.assert_array_equal(data.targets[digits, 10:], teachers.answer(before.images[digits]))
    # Of an outlier the teachers know no better than its own target.
    np.testing.assert_allclose(data.targets[~digits, 10:], 0.1)


def test_targets_by_hand() -> None:
    targets = label_targets(np.array([3, NO_DIGIT], np.uint8), 10)
    np.testing.assert_allclose(targets, [np.eye(10)[3], np.full(10, 0.1)])
