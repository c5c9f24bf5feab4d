"""What one epoch of a training shows the network: pictures and targets.

Both follow from the recipe (its seed included), the number of the epoch and the training split, and from nothing else.
So a resumed training sees the very pictures that an uninterrupted one would have seen.
"""

import functools
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data import turns
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.image.model_input import Input
from numpy.typing import NDArray

from edge_digits_train.augment import outliers
from edge_digits_train.augment.augmentation import augment
from edge_digits_train.augment.corruption import corrupt
from edge_digits_train.engine import teachers
from edge_digits_train.recipes.recipe import Recipe

# Each source of randomness has a stream of its own, so that turning one on leaves the others as they were. The order
# and the augmentation share the stream (seed, epoch).
_OUTLIERS, _CORRUPTION, _DRAWN, _BALANCE = 1, 2, 3, 4


@dataclass(frozen=True)
class EpochData:
    """The pictures of one epoch, in the order in which they are trained on."""

    images: NDArray[np.uint8]
    """Shape ``(n, height, width)``."""
    labels: NDArray[np.uint8]
    """The class of each picture, shape ``(n,)``; the number of classes for an outlier, which is of none."""
    targets: NDArray[np.float32]
    """The probabilities that the network is to answer, shape ``(n, k)``. Where the recipe has teachers, shape
    ``(n, 2 k)``: behind those of the label stand those of the teachers."""


def make_epoch_data(recipe: Recipe, epoch: int, training: Split) -> EpochData:
    """Return what the network is shown in one epoch.

    Outliers and drawn pictures are mixed in, all is put in a new order and augmented; the teachers answer; then some
    pictures are corrupted, which the teachers do not see, since they know digits on blank paper alone.

    Args:
        recipe: says how much of each, and has the seed.
        epoch: number of the epoch, from 0.
        training: the training pictures; left as they are.
    """
    images, labels = _with_drawn(recipe, *_with_outliers(recipe, epoch, _balanced(recipe, epoch, training)))
    rng = np.random.default_rng((recipe.seed, epoch))
    order = rng.permutation(len(images))
    images, labels = images[order], labels[order]
    if recipe.augmentation is not None:
        images = augment(images, rng, recipe.augmentation, labels)
    targets = label_targets(labels, recipe.classes, recipe.turn_smoothing)
    if recipe.distillation:
        targets = np.concatenate([targets, _teacher_targets(images, labels, recipe.classes)], axis=1)
    if recipe.corruption:
        images = corrupt(images, np.random.default_rng((recipe.seed, epoch, _CORRUPTION)), recipe.corruption)
    return EpochData(images, labels, targets)


def epoch_size(recipe: Recipe, pictures: int) -> int:
    """Return how many pictures an epoch has: ``pictures`` for training, the outliers, and those that are drawn."""
    count = pictures + _outlier_count(recipe, pictures)
    return count + _drawn_count(recipe, count)


def label_targets(labels: NDArray[np.uint8], classes: int, turn_smoothing: float = 0.0) -> NDArray[np.float32]:
    """Return the probabilities that labels of shape ``(n,)`` ask for, shape ``(n, classes)``.

    1 at the label and 0 elsewhere; the same for all classes where the label is ``classes``, that of an outlier. With
    ``turn_smoothing`` the first hundred classes are turns, and their targets a normal distribution on the circle.
    """
    targets = np.vstack([np.eye(classes), np.full((1, classes), 1 / classes)])
    if turn_smoothing:
        away = np.arange(turns.COUNT)
        bell = np.exp(-0.5 * (np.minimum(away, turns.COUNT - away) / turn_smoothing) ** 2)
        targets[: turns.COUNT, : turns.COUNT] = np.stack([np.roll(bell / bell.sum(), k) for k in away])
    return targets.astype(np.float32)[labels]


def _balanced(recipe: Recipe, epoch: int, training: Split) -> Split:
    """Return as many training pictures, drawn with the weights of their groups; those themselves without a balance."""
    if not recipe.balance or training.groups is None:
        return training
    _, index, counts = np.unique(training.groups, return_inverse=True, return_counts=True)
    weights = counts[index] ** -recipe.balance
    rng = np.random.default_rng((recipe.seed, epoch, _BALANCE))
    return training.take(rng.choice(len(training), len(training), p=weights / weights.sum()))


def _drawn_count(recipe: Recipe, pictures: int) -> int:
    return round(pictures * recipe.drawn / (1 - recipe.drawn))


def _with_drawn(
    recipe: Recipe, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    count = _drawn_count(recipe, len(images))
    if not count:
        return images, labels
    more, kinds = _drawn(count, recipe.seed, recipe.input_shape)
    return np.concatenate([images, more]), np.concatenate([labels, kinds])


@functools.lru_cache(maxsize=1)
def _drawn(count: int, seed: int, shape: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw pictures, once for all epochs: to draw one takes longer than to learn from it."""
    # It loads typefaces, which nothing else here needs.
    from edge_digits_train.meters import drawing

    return drawing.draw(count, np.random.default_rng((seed, _DRAWN)), Input("crop", *shape))


def _outlier_count(recipe: Recipe, pictures: int) -> int:
    # recipe.outliers is their share of all pictures of the epoch, not of the digits.
    return round(pictures * recipe.outliers / (1 - recipe.outliers))


def _with_outliers(recipe: Recipe, epoch: int, training: Split) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    count = _outlier_count(recipe, len(training))
    if not count:
        return training.images, training.labels
    drawn = outliers.make(count, np.random.default_rng((recipe.seed, epoch, _OUTLIERS)), training)
    images = np.concatenate([training.images, drawn])
    labels = np.concatenate([training.labels, np.full(count, recipe.classes, np.uint8)])
    return images, labels


def _teacher_targets(images: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """Return what the teachers answer, shape ``(n, 10)``; of an outlier, which they would call a digit, its target."""
    targets = label_targets(labels, classes)
    digits = labels != classes
    targets[digits] = teachers.answer(images[digits])
    return targets
