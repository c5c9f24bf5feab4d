"""Split the training pictures of a data set into those that a recipe learns from and those that validate it."""

import numpy as np
from edge_digits_runtime.data import splitting
from edge_digits_runtime.data.datasets import DataSet, Split

from edge_digits_train.data import optdigits
from edge_digits_train.recipes.recipe import Recipe


def training_and_validation(recipe: Recipe, dataset: DataSet) -> tuple[Split, Split]:
    """Return the pictures that ``recipe`` is trained on, those of optdigits included, and those held out.

    Raises:
        DataError: there are too few pictures to hold some out for validation.
    """
    train = dataset.train
    named = set(recipe.validation_groups) & set(train.group_names)
    if named and train.groups is not None:
        mask = np.isin(train.groups, sorted(named))
        training, validation = train.take(~mask), train.take(mask)
    else:
        training, validation = splitting.split_validation(
            train, recipe.validation_fraction, recipe.validation_seed, recipe.validation_fold
        )
    return optdigits.mix(training, recipe.optdigits), validation
