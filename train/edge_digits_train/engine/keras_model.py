"""From a recipe to a Keras 3 model, under any of its backends.

The model takes float32 pictures of shape ``(n, height, width, 1)`` in [0, 1], pixel / 255, and gives logits of shape
``(n, k)`` for k classes. A recipe that standardizes its input gets a `Rescaling` layer of ``(x - mean) / std`` in
front. The converter folds that layer into the first weights, and this is exact because of one rule. Where the first
layer is a convolution with 'same' padding, the RAW picture is padded with background (0), then rescaled, and the
convolution is 'valid'::

    conv_valid((pad(x) - m) / s, w) + b  =  conv_same(x, w / s) + (b - m / s * sum(w))

Padding after the rescaling would put 0 where the standardized background is ``-m / s``; no bias could correct that.
"""

import dataclasses
import hashlib
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.library_errors import first_line

from edge_digits_train.engine.adoption import model_of
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.recipes.architecture import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalPool,
    Layer,
    Pool,
    SpatialDropout,
    same_padding,
)
from edge_digits_train.recipes.keras_network import KerasNetwork
from edge_digits_train.recipes.recipe import Recipe

_INITIALIZERS = {"he_normal": keras.initializers.HeNormal, "glorot_uniform": keras.initializers.GlorotUniform}


def build(recipe: Recipe) -> keras.Model:
    """Return the untrained, uncompiled model of a recipe; its initial weights follow from ``recipe.seed`` alone."""
    devices()
    if isinstance(recipe.layers[0], KerasNetwork):
        return model_of(recipe.layers[0], recipe.name, derived_seed(recipe.seed))
    inputs = keras.Input((*recipe.input_shape, 1), name="pixels")
    outputs = inputs
    for layer in _layers(recipe):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name=recipe.name.replace("-", "_"))


def load(path: Path) -> keras.Model:
    """Load the Keras model of a run; code in the file is never run.

    Raises:
        RunError: Keras cannot read it.
    """
    devices()
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path}: Keras {keras.__version__} cannot load it ({first_line(error)})") from error


def derived_seed(*numbers: int) -> int:
    """Return a seed in [0, 2**31) that follows from ``numbers`` and is unrelated to that of any other numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


def weights_sha256(model: keras.Model) -> str:
    """Return the hex sha256 of name, shape and values of every weight in order.

    The state of random layers, such as dropout, is no weight.
    """
    content = hashlib.sha256()
    for weight in model.weights:
        values = np.asarray(keras.ops.convert_to_numpy(weight), np.dtype("<f4"), order="C")
        content.update(f"{weight.path} {values.shape}\n".encode() + values.tobytes())
    return content.hexdigest()


def _layers(recipe: Recipe) -> list[Any]:
    layers = list(recipe.layers)
    result: list[Any] = []
    if (recipe.mean, recipe.std) != (0.0, 1.0):
        padding, layers[0] = _take_padding_out(layers[0], recipe.input_shape)
        result = [*padding, keras.layers.Rescaling(1 / recipe.std, -recipe.mean / recipe.std, name="standardize")]
    for index, layer in enumerate(layers):
        # Names of our own, since Keras numbers its layers through the whole process.
        name = f"layer{index + 1}_{layer.kind.replace('-', '_')}"
        result += _keras_layers(layer, name, _Kernel(recipe, index))
    return result


def _take_padding_out(layer: Layer, shape: tuple[int, int]) -> tuple[list[Any], Layer]:
    """Split a first convolution into the layer that pads the raw picture and the rest of it."""
    if not isinstance(layer, (Conv, DepthwiseConv)) or layer.padding == "valid":
        return [], layer
    sides = tuple(same_padding(size, layer.kernel, layer.stride) for size in shape)
    return [keras.layers.ZeroPadding2D(sides, name="pad")], dataclasses.replace(layer, padding="valid")


class _Kernel:
    """Initializer and regularizer of the kernel of one layer."""

    def __init__(self, recipe: Recipe, index: int) -> None:
        seed = derived_seed(recipe.seed, index)
        if recipe.initializer == "truncated_normal":
            self.initializer = keras.initializers.TruncatedNormal(stddev=recipe.initializer_stddev, seed=seed)
        else:
            self.initializer = _INITIALIZERS[recipe.initializer](seed=seed)
        self.regularizer = keras.regularizers.L2(recipe.l2) if recipe.l2 else None

    def options(self, prefix: str = "kernel") -> dict[str, Any]:
        """Return them as keyword arguments of a Keras layer."""
        return {f"{prefix}_initializer": self.initializer, f"{prefix}_regularizer": self.regularizer}


@singledispatch
def _keras_layers(layer: Layer, _name: str, _kernel: _Kernel) -> list[Any]:
    """Return the Keras layers that one layer of a recipe becomes."""
    raise TypeError(f"no Keras layer for {type(layer).__name__}")


@_keras_layers.register
def _(layer: Conv, name: str, kernel: _Kernel) -> list[Any]:
    options = kernel.options() | _common(layer, name)
    window = {"strides": layer.stride, "padding": layer.padding}
    return [keras.layers.Conv2D(layer.filters, layer.kernel, **window, **options), *_normalization(layer, name)]


@_keras_layers.register
def _(layer: DepthwiseConv, name: str, kernel: _Kernel) -> list[Any]:
    options = kernel.options("depthwise") | _common(layer, name)
    window = {"strides": layer.stride, "padding": layer.padding, "depth_multiplier": layer.multiplier}
    return [keras.layers.DepthwiseConv2D(layer.kernel, **window, **options), *_normalization(layer, name)]


@_keras_layers.register
def _(layer: Dense, name: str, kernel: _Kernel) -> list[Any]:
    options = kernel.options() | _common(layer, name)
    return [keras.layers.Dense(layer.units, **options), *_normalization(layer, name)]


def _common(layer: Conv | DepthwiseConv | Dense, name: str) -> dict[str, Any]:
    activation = "linear" if layer.batch_norm else layer.activation
    return {"use_bias": layer.use_bias, "activation": activation, "name": name}


def _normalization(layer: Conv | DepthwiseConv | Dense, name: str) -> list[Any]:
    """Return batch normalization and the activation behind it, if the layer normalizes."""
    if not layer.batch_norm:
        return []
    activation = keras.layers.Activation(layer.activation, name=f"{name}_{layer.activation}")
    return [keras.layers.BatchNormalization(name=f"{name}_norm"), activation]


@_keras_layers.register
def _(layer: Pool, name: str, _kernel: _Kernel) -> list[Any]:
    return [keras.layers.MaxPooling2D(layer.size, name=name)]


@_keras_layers.register
def _(_layer: GlobalPool, name: str, _kernel: _Kernel) -> list[Any]:
    return [keras.layers.GlobalAveragePooling2D(name=name)]


@_keras_layers.register
def _(_layer: Flatten, name: str, _kernel: _Kernel) -> list[Any]:
    return [keras.layers.Flatten(name=name)]


# The trainer seeds the random layers anew in each epoch.


@_keras_layers.register
def _(layer: Dropout, name: str, _kernel: _Kernel) -> list[Any]:
    return [keras.layers.Dropout(layer.rate, seed=0, name=name)]


@_keras_layers.register
def _(layer: SpatialDropout, name: str, _kernel: _Kernel) -> list[Any]:
    return [keras.layers.SpatialDropout2D(layer.rate, seed=0, name=name)]


@_keras_layers.register
def _(layer: GaussianNoise, name: str, _kernel: _Kernel) -> list[Any]:
    return [keras.layers.GaussianNoise(layer.stddev, seed=0, name=name)]
