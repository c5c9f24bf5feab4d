"""Small data and a small recipe that uses everything that draws random numbers."""

import numpy as np
import pytest
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_train.augment.augmentation import Augmentation
from edge_digits_train.data import mnist
from edge_digits_train.recipes.architecture import Conv, Dense, Dropout, Flatten, GaussianNoise, Pool, SpatialDropout
from edge_digits_train.recipes.recipe import Recipe


@pytest.fixture(scope="session")
def full_mnist() -> DataSet:
    return mnist.load()


@pytest.fixture(scope="session")
def small_mnist(full_mnist: DataSet) -> DataSet:
    """800 training and 200 test pictures."""
    train, test = full_mnist.train, full_mnist.test
    return DataSet(
        "small MNIST",
        Split(np.ascontiguousarray(train.images[:800]), train.labels[:800]),
        Split(np.ascontiguousarray(test.images[:200]), test.labels[:200]),
    )


@pytest.fixture(scope="session")
def restless() -> Recipe:
    """A small network with every kind of random layer and of training picture, batch normalization and averaging."""
    return Recipe(
        name="restless",
        description="for tests",
        source="our own",
        layers=(
            Conv(8, stride=2, use_bias=False, batch_norm=True),
            SpatialDropout(0.1),
            Pool(),
            Flatten(),
            GaussianNoise(0.1),
            Dense(16),
            Dropout(0.2),
            Dense(10, activation="linear"),
        ),
        mean=0.1307,
        std=0.3081,
        l2=1e-4,
        learning_rate=0.005,
        schedule="cosine",
        batch_size=16,
        epochs=3,
        label_smoothing=0.05,
        weight_average=0.9,
        augmentation=Augmentation(),
        outliers=0.05,
        corruption=0.1,
        seed=7,
    )
