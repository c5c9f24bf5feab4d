"""When validation is behind training, and how far the weights of a short training are averaged."""

import dataclasses

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_train.engine.generalization import gap_warning, same_answer_warning
from edge_digits_train.engine.trainer import Trainer
from edge_digits_train.engine.weight_average import fitted_momentum
from edge_digits_train.recipes.recipe import Recipe


@pytest.mark.parametrize(
    ("learned", "validated", "train", "validation", "warned"),
    [
        (0.976, 0.402, 3900, 430, True),
        (0.99, 0.96, 54_000, 6_000, True),
        # Sure, but not worth a word.
        (0.99, 0.975, 54_000, 6_000, False),
        # Three of a hundred may be chance.
        (0.99, 0.96, 900, 100, False),
        (0.90, 0.98, 900, 100, False),
        (1.0, 1.0, 90, 10, False),
        (1.0, 0.5, 90, 10, True),
    ],
)
def test_a_gap_beyond_chance_is_one_line(
    learned: float, validated: float, train: int, validation: int, warned: bool
) -> None:
    history = {"accuracy": [0.1, learned], "val_accuracy": [0.1, validated]}
    warning = gap_warning(history, {"train": train, "validation": validation, "test": 7}, augmented=False)
    assert (warning is not None) == warned
    if warning is not None:
        assert f"{100 * validated:.1f} % against {100 * learned:.1f} %" in warning
        assert "\n" not in warning


def test_a_recipe_that_changes_its_pictures_is_not_told_to() -> None:
    gap = {"accuracy": [0.99], "val_accuracy": [0.6]}
    for augmented in (False, True):
        warning = gap_warning(gap, {"train": 1000, "validation": 100}, augmented)
        assert warning is not None
        assert ("crop-s" in warning) != augmented
        assert "of other groups" in warning


def test_a_network_with_one_answer_learned_nothing() -> None:
    warning = same_answer_warning([[0, 500], [0, 490]], ("a", "b"))
    assert warning == (
        "It learned nothing: 100.0 % of the test pictures get the same answer, b. Try a smaller --learning-rate."
    )
    assert same_answer_warning([[10, 490], [2, 488]], ("a", "b")) is None


@pytest.mark.parametrize(
    ("momentum", "steps", "expected"),
    [(0.999, 732, 1 - 10 / 732), (0.999, 20_000, 0.999), (0.9, 732, 0.9), (0.999, 10, 0.0), (0.999, 3, 0.0)],
)
def test_the_average_fits_the_number_of_steps(momentum: float, steps: int, expected: float) -> None:
    fitted = fitted_momentum(momentum, steps)
    assert fitted == pytest.approx(expected)
    # What is left of the first weights.
    assert fitted**steps < 1e-4


def test_a_short_training_with_an_average_is_validated_as_well_as_it_learned(
    linear: Recipe, small_mnist: DataSet
) -> None:
    recipe = dataclasses.replace(linear, epochs=6, weight_average=0.999, learning_rate=0.01, optimizer="adam")
    pictures = Split(small_mnist.train.images, small_mnist.train.labels)
    trainer = Trainer(recipe, len(pictures))
    figures = [trainer.epoch(index, pictures, pictures) for index in range(recipe.epochs)]
    assert trainer.steps * recipe.epochs < 1000
    assert figures[-1]["val_accuracy"] > figures[-1]["accuracy"] - 0.02
    assert np.isfinite(figures[-1]["val_loss"])
