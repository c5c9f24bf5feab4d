"""Small trainings that several modules of tests look at."""

import dataclasses
from pathlib import Path

import pytest
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_train.engine.trainer import Progress
from edge_digits_train.engine.training import train
from edge_digits_train.recipes.architecture import Dense, Dropout, Flatten
from edge_digits_train.recipes.recipe import Recipe


@pytest.fixture(scope="session")
def quick() -> Recipe:
    """One layer, one epoch: for tests that are about something else."""
    layers = (Flatten(), Dropout(0.2), Dense(10, activation="linear"))
    return Recipe("quick", "for tests", "our own", layers, mean=0.1307, std=0.3081, epochs=1, seed=7)


@pytest.fixture(scope="session")
def linear(quick: Recipe) -> Recipe:
    """A linear network on plain pixels: for losses that can be computed by hand."""
    return dataclasses.replace(quick, layers=(Flatten(), Dense(10, activation="linear")), mean=0.0, std=1.0)


@pytest.fixture(scope="session")
def seen() -> list[Progress]:
    """What the training of `finished` reported."""
    return []


@pytest.fixture(scope="session")
def finished(
    restless: Recipe, small_mnist: DataSet, seen: list[Progress], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of the restless recipe that nothing interrupted."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(restless, small_mnist, folder, source="somewhere/data.npz", progress=seen.append)
    return folder
