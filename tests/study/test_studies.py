"""The five studies are consistent, and every system in them can be built."""

import numpy as np
import pytest
from edge_digits_runtime.data import splitting
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import UsageError
from edge_digits_study.definition import QUANTITIES, Study
from edge_digits_study.studies import STUDIES
from edge_digits_train.data import mnist
from edge_digits_train.engine.keras_model import build
from edge_digits_train.recipes import catalogue
from edge_digits_train.recipes.architecture import Dropout, SpatialDropout
from edge_digits_train.recipes.recipe import Recipe

each_study = pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))


@each_study
def test_every_name_is_a_system(study: Study) -> None:
    names = [system.name for system in study.systems]
    assert len(names) == len(set(names))
    assert all(name.replace("-", "").isalnum() for name in names), "names are parts of file names"
    rows = [row.system for table in study.tables for row in table.rows]
    targets = [target.system for target in study.targets]
    named = {*rows, *targets, *study.curves, *study.folds, *filter(None, (study.featured, study.weights))}
    assert named <= set(names)
    assert targets


@each_study
def test_every_row_fits_its_table(study: Study) -> None:
    for table in study.tables:
        assert set(table.quantities) <= set(QUANTITIES)
        for row in table.rows:
            assert len(row.cells) == len(table.columns), (table.title, row.system)
            assert set(row.published) <= set(table.quantities), (table.title, row.system)
    assert {target.quantity for target in study.targets} <= set(QUANTITIES)


def test_numbers_of_parameters_are_the_published_ones() -> None:
    counts = {
        (study.name, row.system): (row.published["parameters"].value, study.system(row.system).build(0).parameters)
        for study in STUDIES.values()
        for table in study.tables
        for row in table.rows
        if "parameters" in row.published
    }
    assert counts
    assert {key: published for key, (published, _) in counts.items()} == {key: own for key, (_, own) in counts.items()}


@each_study
def test_every_system_builds(study: Study) -> None:
    seen = set()
    for system in study.systems:
        recipe = system.build(seed=3)
        assert recipe.seed == 3
        assert system.build(seed=0, epochs=7).epochs == 7
        if recipe.layers not in seen:
            seen.add(recipe.layers)
            model = build(recipe)
            assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == recipe.parameters


def test_folds_are_disjoint_and_cover_everything() -> None:
    systems = [system for study in STUDIES.values() for system in study.systems if system.name in study.folds]
    assert len(systems) == 5
    images = np.arange(100, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8)
    pictures = Split(images, np.arange(100, dtype=np.uint8) % 10)
    held_out: list[int] = []
    for system in systems:
        recipe = system.build(0)
        training, validation = splitting.split_validation(
            pictures, recipe.validation_fraction, recipe.validation_seed, recipe.validation_fold
        )
        assert len(training) == 80
        assert np.bincount(validation.labels).tolist() == [2] * 10
        held_out += validation.images[:, 0, 0].tolist()
    assert sorted(held_out) == list(range(100))


def test_fold_beyond_the_last_is_refused() -> None:
    with pytest.raises(UsageError, match=r"validation fold.* 0 to 4"):
        Recipe(**{**_fields("mlp-64"), "validation_fraction": 0.2, "validation_fold": 5})


def _fields(name: str) -> dict[str, object]:
    return dict(vars(catalogue.get(name)))


def test_a_dropout_rate_is_set_in_every_dropout_layer() -> None:
    recipe = catalogue.get("cnn-32-64").with_dropout(0.35)
    rates = [layer.rate for layer in recipe.layers if isinstance(layer, (Dropout, SpatialDropout))]
    assert len(rates) >= 2
    assert set(rates) == {0.35}
    others = [layer for layer in recipe.layers if not isinstance(layer, (Dropout, SpatialDropout))]
    before = catalogue.get("cnn-32-64").layers
    assert others == [layer for layer in before if not isinstance(layer, (Dropout, SpatialDropout))]


def test_dropout_without_a_layer_for_it_is_refused() -> None:
    with pytest.raises(UsageError, match="mlp-64 has no dropout layer"):
        catalogue.get("mlp-64").with_dropout(0.5)
    with pytest.raises(UsageError, match="dropout"):
        catalogue.get("cnn-32-64").with_dropout(1.0)


def test_standardized_input_has_mean_0_and_deviation_1() -> None:
    recipe = catalogue.get("mlp-64").standardized()
    scaled = (mnist.load().train.images / np.float32(255) - recipe.mean) / recipe.std
    assert abs(float(scaled.mean())) < 1e-3
    assert abs(float(scaled.std()) - 1) < 1e-3
