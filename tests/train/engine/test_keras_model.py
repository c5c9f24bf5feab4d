"""Keras models have the layers, shapes and weights of their recipes."""

import dataclasses

import numpy as np
import pytest
from edge_digits_train.engine.feed import pixels
from edge_digits_train.engine.keras_model import build, derived_seed, weights_sha256
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.recipes.architecture import Conv, Dense, DepthwiseConv, Flatten, GlobalPool, Layer, Pool
from edge_digits_train.recipes.catalogue import RECIPES, get
from edge_digits_train.recipes.recipe import Recipe


def _recipe(*layers: Layer, **settings: object) -> Recipe:
    return Recipe("test", "for tests", "our own", (*layers, Dense(10, activation="linear")), **settings)  # type: ignore[arg-type]


def _pictures() -> np.ndarray:
    return pixels(np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_recipe_builds_its_shapes_and_parameters(recipe: Recipe) -> None:
    model = build(recipe)
    assert model.input_shape == (None, *recipe.input_shape, 1)
    assert model.output_shape == (None, recipe.classes)
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trained == recipe.parameters
    moving = sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights)
    assert model.count_params() == trained + moving


def test_every_layer_has_the_shape_of_its_row() -> None:
    recipe = _recipe(
        Conv(4, 5, 2, use_bias=False, batch_norm=True, activation="relu6"),
        DepthwiseConv(3, 2, multiplier=2, batch_norm=True),
        Conv(8, 2, padding="valid", activation="linear"),
        Pool(),
        GlobalPool(),
        Dense(6, batch_norm=True, use_bias=False),
    )
    model = build(recipe)
    for number, row in enumerate(recipe.table, start=1):
        last = [layer for layer in model.layers if layer.name.startswith(f"layer{number}_")][-1]
        assert tuple(last.output.shape[1:]) == row.output_shape, row.name
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == recipe.parameters
    # Batch normalization stands between the kernel and the activation.
    names = [layer.name for layer in model.layers]
    assert names[1:4] == ["layer1_conv", "layer1_conv_norm", "layer1_conv_relu6"]


def test_the_seed_decides_the_initial_weights() -> None:
    recipe = get("cnn-8-16-32")
    keras.utils.set_random_seed(1)
    first = weights_sha256(build(recipe))
    build(get("mlp-256-128"))
    keras.utils.set_random_seed(2)
    assert weights_sha256(build(recipe)) == first
    assert weights_sha256(build(dataclasses.replace(recipe, seed=1))) != first


@pytest.mark.parametrize(
    ("settings", "std"),
    [
        ({}, np.sqrt(2 / 784)),
        ({"initializer": "glorot_uniform"}, np.sqrt(2 / (784 + 2000))),
        # Cut off at twice its standard deviation, a normal distribution has 0.88 of it.
        ({"initializer": "truncated_normal", "initializer_stddev": 0.1}, 0.088),
    ],
)
def test_initializers_have_their_spread(settings: dict[str, object], std: float) -> None:
    kernel, bias = build(_recipe(Flatten(), Dense(2000), **settings)).get_layer("layer2_dense").get_weights()
    assert kernel.std() == pytest.approx(std, rel=0.01)
    assert not bias.any()


def test_kernels_of_different_layers_are_different() -> None:
    model = build(_recipe(Flatten(), Dense(50), Dense(50), Dense(50)))
    first, second = (model.get_layer(name).get_weights()[0] for name in ("layer3_dense", "layer4_dense"))
    assert not np.array_equal(first, second)


def test_l2_is_the_sum_of_squared_kernels() -> None:
    model = build(_recipe(Conv(4), DepthwiseConv(), Flatten(), l2=0.5))
    kernels = [weight.numpy() for weight in model.trainable_weights if "kernel" in weight.path]
    assert len(kernels) == 3
    assert float(sum(model.losses)) == pytest.approx(0.5 * sum((kernel**2).sum() for kernel in kernels), rel=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_standardization_folds_into_a_first_same_convolution(stride: int, kernel: int) -> None:
    mean, std = 0.1307, 0.3081
    plain = _recipe(Conv(4, kernel, stride), Flatten())
    standardized = build(dataclasses.replace(plain, mean=mean, std=std))
    folded = build(plain)
    weights = standardized.get_weights()
    # conv_valid((pad(x) - m) / s, w) + b = conv_same(x, w / s) + (b - m / s * sum(w))
    folded.set_weights([weights[0] / std, weights[1] - mean / std * weights[0].sum(axis=(0, 1, 2)), *weights[2:]])
    x = _pictures()
    np.testing.assert_allclose(folded.predict(x, verbose=0), standardized.predict(x, verbose=0), atol=2e-4)


def test_standardization_folds_into_a_first_dense_layer() -> None:
    mean, std = 0.1307, 0.3081
    plain = _recipe(Flatten(), Dense(16))
    standardized = build(dataclasses.replace(plain, mean=mean, std=std))
    folded = build(plain)
    weights = standardized.get_weights()
    folded.set_weights([weights[0] / std, weights[1] - mean / std * weights[0].sum(axis=0), *weights[2:]])
    x = _pictures()
    np.testing.assert_allclose(folded.predict(x, verbose=0), standardized.predict(x, verbose=0), atol=2e-4)


def test_derived_seeds_differ() -> None:
    seeds = {derived_seed(seed, epoch, layer) for seed in range(5) for epoch in range(5) for layer in range(5)}
    assert len(seeds) == 125
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert derived_seed(1, 2) == derived_seed(1, 2)
