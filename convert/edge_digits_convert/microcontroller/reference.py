"""What the C computes, in numpy: where the expected logits of the self-test come from."""

import numpy as np
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

Sums = NDArray[np.int64]


def logits(network: IntegerNetwork, pictures: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the logits of pictures ``(n, height, width)``: int8 ``(n, classes)``, those of TensorFlow Lite Micro."""
    values = pictures.astype(np.int64)[..., None]
    for layer in network.layers:
        values = run_layer(layer, values)
    return (values.reshape(len(pictures), network.classes) - 128).astype(np.int8)


def run_layer(layer: AnyLayer, values: Sums) -> Sums:
    """Return the results of a layer.

    Args:
        layer: the layer.
        values: its input ``(n, height, width, channels)``, each from 0 to 255.

    Returns:
        The same of its output.
    """
    match layer:
        case Dense():
            flat = values.reshape(len(values), 1, 1, layer.weights.shape[1])
            return requantize(flat @ layer.weights.T.astype(np.int64), layer.scaling, layer.range)
        case Mean():
            sums = (values - layer.padding).sum(axis=(1, 2), keepdims=True)
            return clamp(rescale(sums, layer.scaling) + layer.range.zero, layer.range)
        case Convolution():
            windows = _windows(values, layer.window, layer.output, layer.padding)
            sums = np.einsum("nyxcij,oijc->nyxo", windows, layer.weights.astype(np.int64), optimize=True)
            return requantize(sums, layer.scaling, layer.range)
        case Depthwise():
            windows = _windows(values - layer.padding, layer.window, layer.output, 0)
            windows = windows.repeat(layer.output.channels // layer.input.channels, axis=3)
            sums = np.einsum("nyxcij,ijc->nyxc", windows, layer.weights.astype(np.int64))
            return requantize(sums, layer.scaling, layer.range)
        case MaxPool():
            return clamp(_windows(values, layer.window, layer.output, 0).max(axis=(4, 5)), layer.range)
        case AveragePool():
            sums = _windows(values - 128, layer.window, layer.output, 0).sum(axis=(4, 5))
            count = _windows(np.ones_like(values), layer.window, layer.output, 0).sum(axis=(4, 5))
            return clamp(np.sign(sums) * ((np.abs(sums) + count // 2) // count) + 128, layer.range)


def rescale(sums: Sums, scaling: Scaling) -> Sums:
    """Return ``sums * multiplier * 2**-31 * 2**-shift``, rounded after each of the two, as gemmlowp does.

    Args:
        sums: the last axis is that of the channels.
        scaling: multipliers and shifts.
    """
    product = (sums * scaling.multiplier + (1 << 30)) >> 31
    mask = (np.int64(1) << scaling.shift) - 1
    return (product >> scaling.shift) + ((product & mask) > (mask >> 1) + (product < 0))


def clamp(values: Sums, spread: Range) -> Sums:
    """Return the values, none of them outside of the range."""
    return np.clip(values, spread.low, spread.high)


def requantize(sums: Sums, scaling: Scaling, spread: Range) -> Sums:
    """Return the outputs, each from 0 to 255, for the sums of products of a layer."""
    return clamp(rescale(sums + scaling.bias, scaling) + spread.zero, spread)


def _windows(values: Sums, window: Window, output: Shape, padding: int) -> Sums:
    """Return what the window covers at each place: ``(n, y, x, channel, row, column)``."""
    rows, columns = (window.height - 1) * window.dilation_y + 1, (window.width - 1) * window.dilation_x + 1
    _, height, width, _ = values.shape
    below = max(0, (output.height - 1) * window.stride_y + rows - window.above - height)
    right = max(0, (output.width - 1) * window.stride_x + columns - window.left - width)
    padded = np.pad(values, ((0, 0), (window.above, below), (window.left, right), (0, 0)), constant_values=padding)
    views = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), (1, 2))
    views = views[:, :: window.stride_y, :: window.stride_x, :, :: window.dilation_y, :: window.dilation_x]
    return views[:, : output.height, : output.width]
