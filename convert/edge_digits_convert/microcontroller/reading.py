"""From a ``.tflite`` to `IntegerNetwork`: what TensorFlow Lite's reference kernels would compute, in our words."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model import schema
from edge_digits_runtime.model.card import ModelFile
from edge_digits_runtime.model.schema import Operator, Tensor
from numpy.typing import NDArray

from edge_digits_convert.microcontroller.layers import (
    AnyLayer,
    AveragePool,
    Convolution,
    Dense,
    Depthwise,
    IntegerNetwork,
    MaxPool,
    Mean,
    Range,
    Scaling,
    Shape,
    Window,
)
from edge_digits_convert.microcontroller.scales import product_scale, quantize_limit, quantize_multiplier

_LARGEST_SUM = 1 << 30
"""Sums stay below it, so that rounding them cannot overflow 32 bits."""
_LARGEST_SIDE = 255
"""Of a window, and of its steps, in pixels: they are bytes in C."""
_LARGEST_SIZE = (1 << 16) - 1
"""Of height, width and channels of an activation: they are two bytes in C."""
_LARGEST_BUFFER = 1 << 24
"""Of an activation, in bytes: more than any microcontroller has."""
_LIMITS = {0: (-math.inf, math.inf), 1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""Least and largest result by the number of the fused activation function: none, ReLU, ReLU from -1 to 1, ReLU6."""
_NAMES = {
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "dense",
    "MAX_POOL_2D": "max_pool",
    "AVERAGE_POOL_2D": "average_pool",
    "MEAN": "mean",
}
"""What each operator is called in C."""


def read_network(file: ModelFile, name: str) -> IntegerNetwork:
    """Read the layers of a model.

    Args:
        file: the model.
        name: what messages call it.

    Raises:
        ModelError: the flatbuffer is damaged, or it has an operator, type or size that is not covered; the message
            names operator and layer.
    """
    try:
        model = schema.read(file.content)
        if len(model.graphs) != 1 or model.special:
            raise ModelError(f"{len(model.graphs)} graphs {model.special}; C is written of a model that is one graph")
        return _Reader(model.graphs[0]).network()
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error


class _Reader:
    def __init__(self, graph: schema.Graph) -> None:
        self._graph = graph
        self._where = ""
        """The layer that is being read, for messages."""
        self._holds: dict[int, int] = {}
        """By the number of a tensor the number of the activation that is in it: 0 for the picture, n for the n-th
        result."""
        self._readers: dict[str, Callable[[Operator, Tensor, Tensor, str], AnyLayer]] = {
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "FULLY_CONNECTED": self._dense,
            "MAX_POOL_2D": self._pool,
            "AVERAGE_POOL_2D": self._pool,
            "MEAN": self._mean,
        }

    def network(self) -> IntegerNetwork:
        graph = self._graph
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise ModelError(f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs; allowed is one of each")
        picture, result = (graph.tensors[number] for number in (graph.inputs[0], graph.outputs[0]))
        self._check_input(picture)
        self._holds[picture.index] = 0
        layers: list[AnyLayer] = []
        for operator in graph.operators:
            layer = self._read(operator, len(layers))
            if layer is not None:
                layers.append(layer)
        self._where = "output"
        if not layers or self._holds.get(result.index) != len(layers):
            raise self._not_covered("an output that is not the result of the last layer")
        _, height, width, _ = picture.shape
        return IntegerNetwork(height, width, tuple(layers), result.scales[0])

    def _not_covered(self, what: str) -> ModelError:
        return ModelError(f"{self._where}: {what}, which the C for microcontrollers does not cover")

    def _check_input(self, picture: Tensor) -> None:
        self._where = "input"
        self._check_activation(picture)
        if len(picture.shape) != 4 or (picture.shape[0], picture.shape[3]) != (1, 1):
            raise self._not_covered(f"a picture of shape {_times(picture.shape)}")
        if _zero(picture) != 0 or not math.isclose(picture.scales[0], 1 / 255, rel_tol=1e-6):
            raise self._not_covered(
                f"scale {picture.scales[0]:g} and zero point {picture.zero_points[0]} instead of 1/255 and -128"
            )

    def _check_activation(self, tensor: Tensor) -> None:
        if tensor.type != "INT8" or len(tensor.scales) != 1 or len(tensor.zero_points) != 1:
            raise self._not_covered(f"an activation of type {tensor.type} with {len(tensor.scales)} scales")
        if not 0 < tensor.scales[0] < math.inf or not -128 <= tensor.zero_points[0] <= 127:
            raise self._not_covered(f"scale {tensor.scales[0]:g} and zero point {tensor.zero_points[0]}")
        if tensor.special or tensor.constant:
            raise self._not_covered(f"an activation that is constant or has {tensor.special or 'content'}")
        if any(not 0 < size <= _LARGEST_SIZE for size in tensor.shape) or math.prod(tensor.shape) > _LARGEST_BUFFER:
            raise self._not_covered(f"an activation of shape {_times(tensor.shape)}")

    def _read(self, operator: Operator, before: int) -> AnyLayer | None:
        """Read one operator behind ``before`` layers; None for one that changes no value."""
        self._where = f"layer {before + 1}, {operator.custom or operator.name}"
        kind = operator.name
        if kind not in self._readers and kind != "RESHAPE":
            raise self._not_covered("an operator")
        if not operator.inputs or len(operator.outputs) != 1 or operator.special:
            raise self._not_covered(f"inputs or outputs of another number, or {operator.special or 'none'}")
        if kind in self._readers and not operator.options and kind != "MEAN":
            raise self._not_covered("no options")
        source, result = self._input(operator, 0), self._graph.tensors[operator.outputs[0]]
        self._check_activation(source)
        self._check_activation(result)
        if source.index not in self._holds:
            raise self._not_covered("an input that no layer before it has written")
        if kind == "RESHAPE":
            same = (source.scales, source.zero_points) == (result.scales, result.zero_points)
            if math.prod(source.shape) != math.prod(result.shape) or not same:
                raise self._not_covered("a result of another size or scale")
            self._holds[result.index] = self._holds[source.index]
            return None
        if self._holds[source.index] != before:
            raise self._not_covered("a branch: each layer reads the result of the one before it")
        self._holds[result.index] = before + 1
        return self._readers[kind](operator, source, result, f"{_NAMES[kind]}_{before + 1}")

    def _input(self, operator: Operator, number: int) -> Tensor:
        if len(operator.inputs) <= number or operator.inputs[number] < 0:
            raise self._not_covered(f"{len(operator.inputs)} inputs")
        return self._graph.tensors[operator.inputs[number]]

    def _convolution(self, operator: Operator, source: Tensor, result: Tensor, name: str) -> AnyLayer:
        weights = self._weights(operator, 4)
        incoming, outgoing = self._shape(source), self._shape(result)
        window = self._window(operator, weights.shape[1], weights.shape[2], incoming, outgoing)
        if (weights.shape[0], weights.shape[3]) != (outgoing.channels, incoming.channels):
            raise self._not_covered(f"weights of shape {_times(weights.shape)} for {incoming.channels} channels")
        scaling = self._folded(self._scaling(operator, source, result, 0), weights.array, source)
        return Convolution(
            name, incoming, outgoing, self._range(operator, result), window, _zero(source), weights.array, scaling
        )

    def _depthwise(self, operator: Operator, source: Tensor, result: Tensor, name: str) -> AnyLayer:
        weights = self._weights(operator, 4)
        incoming, outgoing = self._shape(source), self._shape(result)
        window = self._window(operator, weights.shape[1], weights.shape[2], incoming, outgoing)
        if (weights.shape[0], weights.shape[3]) != (1, outgoing.channels) or outgoing.channels % incoming.channels:
            raise self._not_covered(f"weights of shape {_times(weights.shape)} for {incoming.channels} channels")
        scaling = self._scaling(operator, source, result, 3)
        array = weights.array[0]
        self._check_sums(array.reshape(-1, outgoing.channels).T, scaling.bias)
        return Depthwise(name, incoming, outgoing, self._range(operator, result), window, _zero(source), array, scaling)

    def _dense(self, operator: Operator, source: Tensor, result: Tensor, name: str) -> AnyLayer:
        weights = self._weights(operator, 2)
        incoming, outgoing = Shape(1, 1, math.prod(source.shape)), Shape(1, 1, math.prod(result.shape))
        if weights.shape != (outgoing.size, incoming.size) or operator.options["weights_format"] != 0:
            raise self._not_covered(f"weights of shape {_times(weights.shape)} for {incoming.size} values")
        scaling = self._folded(self._scaling(operator, source, result, 0), weights.array, source)
        return Dense(name, incoming, outgoing, self._range(operator, result), _zero(source), weights.array, scaling)

    def _pool(self, operator: Operator, source: Tensor, result: Tensor, name: str) -> AnyLayer:
        incoming, outgoing = self._shape(source), self._shape(result)
        same = (source.scales, source.zero_points) == (result.scales, result.zero_points)
        if not same or incoming.channels != outgoing.channels:
            raise self._not_covered("a result of another scale or number of channels")
        height, width = operator.options["filter_height"], operator.options["filter_width"]
        window = self._window(operator, height, width, incoming, outgoing)
        layer = MaxPool if operator.name == "MAX_POOL_2D" else AveragePool
        return layer(name, incoming, outgoing, self._range(operator, result), window)

    def _mean(self, operator: Operator, source: Tensor, result: Tensor, name: str) -> AnyLayer:
        incoming, axes = self._shape(source), self._input(operator, 1)
        if axes.type != "INT32" or not axes.constant or sorted(axes.array.reshape(-1) % 4) != [1, 2]:
            raise self._not_covered("axes other than height and width")
        same = (source.scales, source.zero_points) == (result.scales, result.zero_points)
        if operator.options.get("keep_dims") or same or math.prod(result.shape) != incoming.channels:
            raise self._not_covered("a result that keeps its axes or its scale")
        pixels = incoming.height * incoming.width
        multiplier, shift = quantize_multiplier(source.scales[0] / result.scales[0])
        # The kernel of TensorFlow Lite has the number of pixels in its multiplier, as exactly as 32 bits allow.
        room = min(pixels.bit_length() - 1, 32, 31 - shift)
        multiplier, shift = (multiplier << room) // pixels, shift + room
        if shift < 0 or pixels * 255 >= _LARGEST_SUM:
            raise self._not_covered("a scale above the number of pixels, or sums of more than 30 bits")
        scaling = Scaling(np.zeros(1, np.int64), np.array([multiplier]), np.array([shift]))
        outgoing = Shape(1, 1, incoming.channels)
        return Mean(name, incoming, outgoing, Range(_zero(result)), _zero(source), scaling)

    def _shape(self, tensor: Tensor) -> Shape:
        if len(tensor.shape) != 4 or tensor.shape[0] != 1:
            raise self._not_covered(f"an activation of shape {_times(tensor.shape)}")
        return Shape(*tensor.shape[1:])

    def _weights(self, operator: Operator, axes: int) -> Tensor:
        weights = self._input(operator, 1)
        if weights.type != "INT8" or not weights.constant or len(weights.shape) != axes or weights.special:
            kind = "constant" if weights.constant else "computed"
            raise self._not_covered(f"{kind} weights of type {weights.type} and shape {_times(weights.shape)}")
        if any(weights.zero_points) or not all(0 < scale < math.inf for scale in weights.scales) or not weights.scales:
            raise self._not_covered("weights without a scale, or with a zero point")
        if min(weights.shape) < 1 or math.prod(weights.shape) != len(weights.data):
            raise ModelError(f"{self._where}: {len(weights.data)} weights are not those of its shape")
        return weights

    def _window(self, operator: Operator, height: int, width: int, incoming: Shape, outgoing: Shape) -> Window:
        options = operator.options
        down, right = options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)
        stride_y, stride_x = options["stride_h"], options["stride_w"]
        if not all(0 < side <= _LARGEST_SIDE for side in (height, width, stride_y, stride_x, down, right)):
            raise self._not_covered(f"a window of {height}×{width} that goes {stride_y}×{stride_x} pixels a step")
        if options["padding"] not in (0, 1):
            raise self._not_covered(f"padding {options['padding']}")
        padded = options["padding"] == 0
        rows, above = _along((height - 1) * down + 1, stride_y, incoming.height, padded)
        columns, left = _along((width - 1) * right + 1, stride_x, incoming.width, padded)
        if (rows, columns) != (outgoing.height, outgoing.width):
            raise ModelError(f"{self._where}: a result of {outgoing.height}×{outgoing.width}, not of {rows}×{columns}")
        if max(above, left) > _LARGEST_SIDE:
            raise self._not_covered(f"padding of {above}×{left} pixels")
        return Window(height, width, stride_y, stride_x, down, right, above, left)

    def _scaling(self, operator: Operator, source: Tensor, result: Tensor, axis: int) -> Scaling:
        """Read biases and scales; the multipliers are those that TensorFlow Lite computes."""
        weights = self._input(operator, 1)
        channels = weights.shape[axis]
        if len(weights.scales) not in (1, channels) or (len(weights.scales) > 1 and weights.axis != axis):
            raise self._not_covered(f"{len(weights.scales)} scales for {channels} channels")
        bias = np.zeros(channels, np.int64)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            tensor = self._input(operator, 2)
            if tensor.type != "INT32" or not tensor.constant or len(tensor.data) != 4 * channels:
                raise self._not_covered(f"{len(tensor.data)} bytes of biases of type {tensor.type}")
            bias = np.frombuffer(tensor.data, "<i4").astype(np.int64)
        single = operator.name == "FULLY_CONNECTED" and len(weights.scales) == 1
        pairs = [
            quantize_multiplier(product_scale(source.scales[0], scale, result.scales[0], single))
            for scale in weights.scales
        ]
        if any(shift < 0 for _, shift in pairs):
            raise self._not_covered("sums with a larger scale than the result")
        multipliers, shifts = (np.resize(np.array(column, np.int64), channels) for column in zip(*pairs, strict=True))
        return Scaling(bias, multipliers, shifts)

    def _folded(self, scaling: Scaling, weights: NDArray[Any], source: Tensor) -> Scaling:
        """Return biases for inputs from 0 to 255, where TensorFlow Lite takes the zero point off each input first."""
        rows = weights.reshape(len(weights), -1)
        bias = scaling.bias - _zero(source) * rows.sum(axis=1, dtype=np.int64)
        self._check_sums(rows, bias)
        return Scaling(bias, scaling.multiplier, scaling.shift)

    def _check_sums(self, rows: NDArray[Any], bias: NDArray[np.int64]) -> None:
        largest = np.abs(bias) + 255 * np.abs(rows.astype(np.int64)).sum(axis=1)
        if largest.max() >= _LARGEST_SUM:
            raise self._not_covered("sums of more than 30 bits")

    def _range(self, operator: Operator, result: Tensor) -> Range:
        activation = operator.options["fused_activation_function"]
        if activation not in _LIMITS:
            raise self._not_covered(f"activation function {activation}")
        low, high = (quantize_limit(limit, result.scales[0], _zero(result)) for limit in _LIMITS[activation])
        return Range(_zero(result), low, high)


def _along(window: int, stride: int, size: int, padded: bool) -> tuple[int, int]:
    """Return how many places a window has along an axis, and how much padding is in front of the first."""
    if not padded:
        return (size - window) // stride + 1, 0
    places = -(-size // stride)
    # As TensorFlow does: what is odd goes to the end.
    return places, max(0, (places - 1) * stride + window - size) // 2


def _zero(tensor: Tensor) -> int:
    """Return what stands for the number 0, counted from 0 to 255."""
    return tensor.zero_points[0] + 128


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"
