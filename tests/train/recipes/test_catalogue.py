"""The registry of recipes, and that recipes can be written and read and are checked."""

import dataclasses
import json

import pytest
from edge_digits_runtime.data import turns
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.errors import RunError, UsageError
from edge_digits_runtime.image.model_input import INK, Input
from edge_digits_train.recipes.architecture import Conv, Dense, Dropout, Flatten, Pool, SpatialDropout
from edge_digits_train.recipes.catalogue import DEFAULT, RECIPES, get
from edge_digits_train.recipes.recipe import METER_CLASSES, Recipe

CROP = Input("crop", 28, 28)


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("mlp-256-128", 235_146, 784 * 256 + 256 * 128 + 128 * 10),
        ("cnn-32-64", 421_642, 784 * 9 * 32 + 196 * 288 * 64 + 3136 * 128 + 1280),
        ("cnn-32-64-64", 458_570, 784 * 9 * 32 + 196 * 288 * 64 + 49 * 576 * 64 + 3136 * 128 + 1280),
        ("cnn-8-16-32", 8_778, 784 * 9 * 8 + 196 * 72 * 16 + 49 * 144 * 32 + 288 * 10),
    ],
)
def test_size_of_the_first_recipes(name: str, parameters: int, macs: int) -> None:
    assert get(name).parameters == parameters
    assert get(name).macs == macs


def test_the_published_networks_layer_by_layer() -> None:
    # Tables 1 and 2 of the study: parameters of the layers that have any, and where dropout stands.
    assert [row.parameters for row in get("mlp-256-128").table if row.parameters] == [200_960, 32_896, 1_290]
    assert [row.parameters for row in get("cnn-32-64").table if row.parameters] == [320, 18_496, 401_536, 1_290]
    assert [type(layer) for layer in get("mlp-256-128").layers] == [Flatten, Dense, Dense, Dropout, Dense]
    kinds = [Conv, Pool, Conv, SpatialDropout, Pool, Flatten, Dense, Dropout, Dense]
    assert [type(layer) for layer in get("cnn-32-64").layers] == kinds
    for name in ("mlp-256-128", "cnn-32-64"):
        recipe = get(name)
        assert (recipe.initializer, recipe.optimizer, recipe.learning_rate) == ("he_normal", "adam", 0.001)
        assert (recipe.batch_size, recipe.epochs) == (64, 5)


def test_the_default_is_small() -> None:
    assert get(DEFAULT).parameters <= 10_000


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_recipe_has_a_description_and_survives_json(recipe: Recipe) -> None:
    assert recipe.description
    assert recipe.source
    assert RECIPES[recipe.name] is recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_every_field_survives_json(restless: Recipe) -> None:
    recipe = dataclasses.replace(
        restless, initializer="truncated_normal", initializer_stddev=0.1, optimizer="sgd", momentum=0.9, nesterov=True
    )
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert set(recipe.to_dict()) == {field.name for field in dataclasses.fields(Recipe)}


def test_an_unknown_name_lists_all_names() -> None:
    with pytest.raises(UsageError, match="no recipe 'cnn-32-46'; did you mean cnn-32-64") as error:
        get("cnn-32-46")
    assert all(name in str(error.value) for name in RECIPES)
    with pytest.raises(UsageError, match="no recipe 'x'; there are mlp-256-128"):
        get("x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0; allowed is 1 or more"),
        ({"batch_size": -1}, "batch size is -1; allowed is 1 or more"),
        ({"learning_rate": 0.0}, "learning rate is 0.0; allowed is more than 0"),
        ({"learning_rate": float("nan")}, "learning rate is nan"),
        ({"learning_rate": float("inf")}, "learning rate is inf"),
        ({"std": 0.0}, "std is 0.0"),
        ({"mean": 1.5}, "mean is 1.5"),
        ({"momentum": 1.0}, "momentum is 1.0; allowed is 0 to below 1"),
        ({"label_smoothing": -0.1}, "label smoothing is -0.1"),
        ({"l2": -1.0}, "l2 is -1.0; allowed is 0 or more"),
        ({"seed": -1}, "seed is -1"),
        ({"validation_seed": 2**32}, "validation seed is 4294967296"),
        ({"validation_fraction": 0.0}, "validation fraction is 0.0; allowed is between 0 and 1"),
        ({"weight_average": 1.0}, "weight average is 1.0"),
        ({"outliers": 1.0}, "outliers is 1.0; allowed is 0 to below 1"),
        ({"corruption": 1.0}, "corruption is 1.0; allowed is 0 to below 1"),
        ({"optdigits": -1}, "optdigits is -1"),
        ({"distillation": 1.0}, "distillation is 1.0; allowed is 0 to below 1"),
        ({"initializer": "zeros"}, "initializer is zeros; allowed is he_normal or glorot_uniform or truncated_normal"),
        (
            {"initializer": "truncated_normal"},
            "initializer stddev is None; allowed is more than 0 with truncated_normal",
        ),
        ({"initializer_stddev": 0.1}, "initializer stddev is 0.1"),
        ({"optimizer": "lion"}, "optimizer is lion; allowed is adam or sgd"),
        ({"schedule": "step"}, "schedule is step; allowed is constant or cosine"),
        ({"layers": ()}, r"the last layer gives \(28, 28, 1\); allowed is \(2,\) to \(128,\), a logit"),
        (
            {"layers": (Flatten(), Dense(129))},
            r"the last layer gives \(129,\); allowed is \(2,\) to \(128,\), a logit for each class",
        ),
        ({"layers": (Dense(10),)}, "dense-10 takes a row of values"),
    ],
)
def test_a_value_out_of_range_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(get("mlp-256-128"), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"layers": [{"kind": "lstm"}]},
        {"layers": [{"kind": "dense"}]},
        {"augmentation": {"x": 1}},
        {"x": 1},
    ],
)
def test_a_damaged_recipe_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RunError, match="the recipe is damaged or of another version"):
        Recipe.from_dict(get("mlp-256-128").to_dict() | change)
    with pytest.raises(RunError, match="the recipe is damaged"):
        Recipe.from_dict({"name": "x"})


# --- fitted to classes and pictures of one's own

LETTERS = ("A", "B", "blank")


def test_a_recipe_for_digits_stays_as_it_is() -> None:
    for recipe in RECIPES.values():
        if recipe.data == "mnist":
            assert recipe.fitted(DIGIT_CLASSES, INK) == recipe


def test_a_recipe_for_wheels_draws_and_smooths_for_nothing_else() -> None:
    recipe = RECIPES["meter-m"]
    assert recipe.fitted(METER_CLASSES, CROP) == recipe
    for classes, form in ((DIGIT_CLASSES, INK), (DIGIT_CLASSES, CROP), (("0", "1", "blank"), CROP)):
        fitted = recipe.fitted(classes, form)
        assert (fitted.drawn, fitted.turn_smoothing, fitted.classes) == (0, 0, len(classes))
    fitted = recipe.fitted(turns.TENTHS, CROP)
    assert (fitted.drawn, fitted.turn_smoothing) == (0, recipe.turn_smoothing)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if not recipe.distillation])
def test_a_recipe_gets_an_output_for_each_class_and_leaves_out_what_only_digits_have(name: str) -> None:
    fitted = RECIPES[name].fitted(LETTERS, Input("crop", 48, 32))
    assert (fitted.classes, fitted.input_shape, fitted.optdigits, fitted.outliers) == (3, (48, 32), 0, 0)
    assert fitted.fitted(LETTERS, Input("crop", 48, 32)) == fitted
    assert Recipe.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted
    if fitted.augmentation is not None:
        assert fitted.augmentation.whole_picture
        assert fitted.augmentation.crossed_seven == 0


@pytest.mark.parametrize(
    ("recipe", "classes", "form", "said"),
    [
        (RECIPES["digits-s"], LETTERS, INK, "learns from teachers, which know nothing but the digits"),
        (RECIPES["digits-s"], DIGIT_CLASSES, Input("crop"), "learns from teachers"),
        (dataclasses.replace(RECIPES["crop-s"], corruption=0.1), LETTERS, Input("crop"), "corruption is for input ink"),
        (RECIPES["digits-xs-alone"], LETTERS, Input("crop", 16, 16), "window of 5 × 5 does not fit"),
    ],
)
def test_a_recipe_that_cannot_be_fitted_is_one_line(
    recipe: Recipe, classes: tuple[str, ...], form: Input, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as error:
        recipe.fitted(classes, form)
    assert "\n" not in str(error.value)


def test_only_a_dense_layer_at_the_end_gets_other_outputs() -> None:
    layers = (Conv(10, kernel=28, padding="valid", activation="linear"), Flatten())
    recipe = dataclasses.replace(RECIPES["crop-s"], layers=layers)
    with pytest.raises(UsageError, match="only a recipe that ends in a dense layer can be fitted"):
        recipe.with_classes(3)
