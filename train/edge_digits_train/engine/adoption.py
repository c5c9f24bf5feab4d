"""Make a network of ours of any Keras classifier.

Ours takes pixel / 255, float32 of shape ``(n, height, width, 1)``, and gives logits ``(n, k)``. A network that wants
another range or shape gets that in front of its first layer. A softmax at the end is left out. Models inside the model
become layers of it. What scales the input by constants becomes one `Rescaling`, or none. The result is a plain
functional model, which the rest of the program treats as one of its own.
"""

import copy
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from edge_digits_runtime.data.classes import FEWEST, MOST
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.image.model_input import LARGEST, SMALLEST
from edge_digits_runtime.library_errors import first_line

from edge_digits_train.engine.keras_safety import code_in, custom_in
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.recipes.architecture import Row
from edge_digits_train.recipes.keras_network import KerasNetwork


@dataclass(frozen=True)
class PixelRange:
    """The pixels that a network wants: pixel / 255 times ``scale`` plus ``offset``."""

    name: str
    scale: float
    offset: float


UNIT = PixelRange("0..1", 1.0, 0.0)
PIXEL_RANGES = (UNIT, PixelRange("0..255", 255.0, 0.0), PixelRange("-1..1", 2.0, -1.0))
_SAME = 1e-6
_MOVES_PIXELS = (keras.layers.Flatten, keras.layers.Reshape)
"""Layers that leave the values as they are: scaling before them is scaling after them."""
_PASSES_ON = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Dropout, keras.layers.Identity)
"""Layers behind the output that change no value outside of training."""


def functional(model: keras.Model) -> keras.Model:
    """Return a built Sequential or functional model as a functional one of one input and one output.

    Raises:
        ModelError: it is a subclass of `keras.Model`, not built, or has several inputs or outputs.
    """
    if not isinstance(model, keras.Sequential) and not hasattr(model, "_run_through_graph"):
        raise ModelError(
            f"a model of the class {type(model).__name__}, which is code; allowed are Sequential and functional models"
        )
    if not getattr(model, "inputs", None):
        raise ModelError("a model without an input shape; put keras.Input in front of its layers")
    for what, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(tensors) != 1:
            names = ", ".join(tensor._keras_history.operation.name for tensor in tensors)
            raise ModelError(f"a model of {len(tensors)} {what} ({names}); allowed is one")
    return keras.Model(model.inputs[0], model.outputs[0])


def adopt(
    model: keras.Model, name: str, shape: tuple[int, int] | None = None, pixels: PixelRange = UNIT
) -> keras.Model:
    """Return a model of ours that computes what ``model`` does, and shares its layers.

    The model itself is left as it is.

    Args:
        model: any Keras classifier of grey pictures, Sequential or functional.
        name: what the result is called.
        shape: height and width of its pictures; None where the model itself says it.
        pixels: the range of pixels that it wants.

    Raises:
        ModelError: it is no such classifier; the message says what it is.
    """
    whole = functional(model)
    shape = _picture_shape(whole.inputs[0].shape, shape)
    classes = whole.outputs[0].shape
    if len(classes) != 2 or classes[1] is None or not FEWEST <= classes[1] <= MOST:
        raise ModelError(f"a model with an output of shape {classes}; allowed is (None, {FEWEST}) to (None, {MOST})")
    replaced = _end_in_logits(whole)
    inputs = keras.Input((*shape, 1), name="pixels")
    values: Any = inputs
    given = whole.inputs[0].shape[1:]
    if len(given) != 3:
        values = keras.layers.Reshape(tuple(given) if None not in given else shape, name="plain")(values)
    flat = _Flattening(replaced)
    outputs = flat.run(whole, _Scaled(values, pixels.scale, pixels.offset))
    return keras.Model(inputs, flat.plain(outputs), name=name.replace("-", "_").replace(".", "_"))


def network_of(model: keras.Model, allow_code: bool = False) -> KerasNetwork:
    """Return a model that `adopt` made as plain data.

    Raises:
        ModelError: it has layers that are not of Keras itself, or code where that is not allowed.
    """
    config = _in_float32(json.loads(model.to_json()))
    found = custom_in(config) or (None if allow_code else code_in(config))
    if found:
        raise ModelError(
            f"a network with a {found}, which is not of Keras itself: its code would be needed wherever the network "
            "goes; build it from layers of Keras"
        )
    for unused in ("build_config", "compile_config"):
        config.pop(unused, None)
    # Built anew, so that each layer knows this network alone.
    rows = tuple(_rows(_built(config, 0, allow_code)))
    if not rows or not any(row.parameters for row in rows):
        raise ModelError("a network without weights")
    return KerasNetwork(config, tuple(model.inputs[0].shape[1:]), rows)


def model_of(network: KerasNetwork, name: str, seed: int, allow_code: bool = False) -> keras.Model:
    """Return the untrained Keras model of a network; its initial weights follow from ``seed`` alone.

    Raises:
        ModelError: Keras cannot build it.
    """
    named = dict(network.config["config"]) | {"name": name.replace("-", "_").replace(".", "_")}
    return _built(dict(network.config) | {"config": named}, seed, allow_code)


def _built(config: Mapping[str, Any], seed: int, allow_code: bool = False) -> keras.Model:
    devices()
    # Where a layer says no seed Keras draws one from Python's generator.
    state = random.getstate()
    random.seed(seed)
    try:
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=not allow_code)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"a network that Keras {keras.__version__} cannot build: {first_line(error)}") from error
    finally:
        random.setstate(state)


def _picture_shape(given: tuple[int | None, ...], wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Return height and width of the pictures of a model with an input of shape ``given``."""
    found: tuple[int, int]
    match given:
        case (_, None, None, 1) | (_, None, None):
            if wanted is None:
                raise ModelError("a model for pictures of any size; say which with --input, such as crop:28x28")
            found = wanted
        case (_, int(height), int(width), 1) | (_, int(height), int(width)):
            found = height, width
        case (_, int(count)):
            side = math.isqrt(count)
            if wanted is None and side * side != count:
                raise ModelError(f"a model of {count} pixels; say height and width with --input, such as crop:32x20")
            found = wanted or (side, side)
            if math.prod(found) != count:
                raise ModelError(f"a model of {count} pixels, but {found[0]}×{found[1]} were asked for")
        case (_, int(), int(), 3):
            raise ModelError(f"a model of colour pictures, input {given}; allowed is grey: (None, height, width, 1)")
        case _:
            raise ModelError(
                f"a model with an input of shape {given}; allowed are (None, height, width, 1), (None, height, width) "
                "and (None, pixels)"
            )
    if not all(SMALLEST <= side <= LARGEST for side in found):
        raise ModelError(f"a model of {found[0]}×{found[1]} pixels; allowed is {SMALLEST} to {LARGEST} a side")
    if wanted is not None and wanted != found:
        raise ModelError(f"a model of {found[0]}×{found[1]} pixels, but {wanted[0]}×{wanted[1]} were asked for")
    return found


def _end_in_logits(model: keras.Model) -> list[tuple[Any, Any]]:
    """Take a softmax off the end: return the layer to replace and what replaces it, None for nothing; the model stays.

    Raises:
        ModelError: the model ends in something else than softmax or logits.
    """
    tensor = model.outputs[0]
    while True:
        layer = tensor._keras_history.operation
        if isinstance(layer, keras.Model):
            return _end_in_logits(functional(layer))
        if isinstance(layer, _PASSES_ON):
            tensor = layer.input
            continue
        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", "linear")
        if isinstance(layer, keras.layers.Softmax) or type(layer).__name__ == "Softmax":
            name = "softmax"
        elif isinstance(layer, keras.layers.ReLU):
            name = "relu"
        if name not in ("softmax", "linear", "log_softmax"):
            raise ModelError(f"a model that ends in {name} (layer {layer.name}); allowed are softmax and logits")
        if name != "softmax":
            return []
        if isinstance(layer, keras.layers.Activation) or activation is None:
            return [(layer, None)]
        linear = type(layer).from_config(layer.get_config() | {"activation": "linear"})
        linear.build(layer.input.shape)
        linear.set_weights(layer.get_weights())
        return [(layer, linear)]


@dataclass(frozen=True)
class _Scaled:
    """The input of the network, or a reshaped one, times ``scale`` plus ``offset``: what no layer has computed yet."""

    tensor: Any
    scale: float
    offset: float


class _Flattening:
    """Calls the layers of a model, and of models in it, on new inputs."""

    def __init__(self, replaced: list[tuple[Any, Any]]) -> None:
        self._replaced = replaced
        self._made: list[tuple[_Scaled, Any]] = []

    def run(self, model: keras.Model, given: Any) -> Any:
        """Return what a functional model makes of a tensor, or of one that is to be scaled."""
        return model._run_through_graph(given, call_fn=self._call)

    def plain(self, value: Any) -> Any:
        """Return a tensor, with the scaling as a layer where there is any."""
        if not isinstance(value, _Scaled):
            return value
        if math.isclose(value.scale, 1, rel_tol=_SAME) and abs(value.offset) < _SAME:
            return value.tensor
        for known, made in self._made:
            if known.tensor is value.tensor and (known.scale, known.offset) == (value.scale, value.offset):
                return made
        name = f"scale{len(self._made) or ''}"
        made = keras.layers.Rescaling(value.scale, value.offset, name=name)(value.tensor)
        self._made.append((value, made))
        return made

    def _call(self, layer: Any, *args: Any, **options: Any) -> Any:
        first = args[0] if args else None
        if isinstance(layer, keras.Model):
            return self.run(functional(layer), first)
        for old, new in self._replaced:
            if layer is old and new is None:
                return first
            layer = new if layer is old else layer
        if isinstance(first, _Scaled):
            step = _constants(layer)
            if step is not None:
                return _Scaled(first.tensor, first.scale * step[0], first.offset * step[0] + step[1])
            pads = isinstance(layer, keras.layers.ZeroPadding2D) and abs(first.offset) < _SAME
            if isinstance(layer, _MOVES_PIXELS) or pads:
                return _Scaled(layer(first.tensor, **options), first.scale, first.offset)
        # Layers such as Add and Concatenate take lists of tensors.
        args, options = keras.tree.map_structure(self.plain, (args, options))
        return layer(*args, **options)


def _constants(layer: Any) -> tuple[float, float] | None:
    """Return scale and offset of a layer that does nothing but that, by one number each; None for another layer."""
    if isinstance(layer, keras.layers.Rescaling):
        scale, offset = np.ravel(layer.scale), np.ravel(layer.offset)
        return (float(scale[0]), float(offset[0])) if scale.size == offset.size == 1 else None
    if isinstance(layer, keras.layers.Normalization) and not layer.invert:
        mean, variance = (np.ravel(np.asarray(value)) for value in (layer.mean, layer.variance))
        if mean.size == variance.size == 1:
            deviation = max(math.sqrt(float(variance[0])), keras.config.epsilon())
            return 1 / deviation, -float(mean[0]) / deviation
    return None


def _in_float32(config: Any) -> Any:
    """Return a configuration whose layers all compute in float32, as every network here does."""
    if isinstance(config, list):
        return [_in_float32(value) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return config | {"config": {"name": "float32"}}
    if "Quantized" in str(config.get("class_name")):
        raise ModelError("a model whose weights are quantized already; give the float original")
    return {key: _in_float32(value) for key, value in config.items()}


def _rows(model: keras.Model) -> Iterator[Row]:
    """Yield name, output shape, parameters and multiply-accumulates of each layer."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        nodes = layer._inbound_nodes
        shape = tuple(int(size) for size in nodes[0].output_tensors[0].shape[1:])
        parameters = sum(math.prod(weight.shape) for weight in getattr(layer, "trainable_weights", ()))
        yield Row(_row_name(layer), shape, parameters, _macs(layer, nodes[0], shape) * len(nodes))


def _row_name(layer: Any) -> str:
    if isinstance(layer, keras.layers.Dense):
        return f"dense-{layer.units}"
    if hasattr(layer, "kernel_size") and hasattr(layer, "strides"):
        kernel = "x".join(map(str, layer.kernel_size)) + (f"/{layer.strides[0]}" if max(layer.strides) > 1 else "")
        kind = type(layer).__name__.removesuffix("2D").lower()
        return f"{kind}{kernel}" + (f"-{layer.filters}" if getattr(layer, "filters", None) else "")
    return type(layer).__name__.lower()


def _macs(layer: Any, node: Any, shape: tuple[int, ...]) -> int:
    """Return the multiply-accumulates of one picture in one call of a layer.

    Weights that are matrices or kernels meet every place of the map: of the output for a convolution or dense layer, of
    the input for a transposed convolution, a recurrent or any other layer. Vectors, such as those of a normalization,
    are not counted.
    """
    kernels = [weight.shape for weight in getattr(layer, "trainable_weights", ()) if len(weight.shape) > 1]
    given = node.input_tensors[0].shape[1:-1]
    convolution = hasattr(layer, "kernel_size") and "Transpose" not in type(layer).__name__
    places = shape[:-1] if convolution or isinstance(layer, keras.layers.Dense) else given
    return math.prod(int(size or 1) for size in places) * sum(int(math.prod(kernel)) for kernel in kernels)
