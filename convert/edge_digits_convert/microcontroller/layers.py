"""The layers of an int8 model, with every number that the C of a microcontroller needs.

Activations are counted from 0 to 255 here: the int8 of the model plus 128, so that a pixel is what it is. A zero point
``z`` of the model is ``z + 128``.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

BYTES_OF_CHANNEL = 12
"""Bias, multiplier and shift of an output channel, as they lie in flash."""
Weights: TypeAlias = NDArray[np.int8]


@dataclass(frozen=True)
class Shape:
    """Size of an activation."""

    height: int
    width: int
    channels: int

    @property
    def size(self) -> int:
        """Number of values, which is its size in bytes."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Window:
    """The rectangle of a convolution or pool, in pixels."""

    height: int
    width: int
    stride_y: int = 1
    stride_x: int = 1
    dilation_y: int = 1
    dilation_x: int = 1
    above: int = 0
    """Rows of padding above the picture."""
    left: int = 0
    """Columns of padding left of it."""

    @property
    def taps(self) -> int:
        """Number of pixels that it covers."""
        return self.height * self.width


@dataclass(frozen=True)
class Range:
    """What the results of a layer may be, each from 0 to 255."""

    zero: int
    """What stands for the number 0."""
    low: int = 0
    high: int = 255


@dataclass(frozen=True)
class Scaling:
    """What is done with the sums of a layer: ``(sum + bias) * multiplier * 2**-31 * 2**-shift`` per output channel."""

    bias: NDArray[np.int64]
    multiplier: NDArray[np.int64]
    """0, or from 2**30 up to 2**31 (a mean has smaller ones)."""
    shift: NDArray[np.int64]
    """0 to 31."""


@dataclass(frozen=True)
class Layer:
    """What all layers have."""

    name: str
    """Unique in the model and a name in C, such as ``conv_1``."""
    input: Shape
    output: Shape
    range: Range


@dataclass(frozen=True)
class Convolution(Layer):
    """A convolution with weights ``(output channel, row, column, input channel)``."""

    window: Window
    padding: int
    """What stands for the number 0 in the input."""
    weights: Weights = field(repr=False)
    scaling: Scaling = field(repr=False)
    kind: Literal["convolution"] = "convolution"


@dataclass(frozen=True)
class Depthwise(Layer):
    """A convolution of each channel by itself, with weights ``(row, column, output channel)``."""

    window: Window
    padding: int
    weights: Weights = field(repr=False)
    scaling: Scaling = field(repr=False)
    kind: Literal["depthwise"] = "depthwise"


@dataclass(frozen=True)
class Dense(Layer):
    """A dense layer with weights ``(output, input)``."""

    padding: int
    weights: Weights = field(repr=False)
    scaling: Scaling = field(repr=False)
    kind: Literal["dense"] = "dense"


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest value of each window."""

    window: Window
    kind: Literal["max_pool"] = "max_pool"


@dataclass(frozen=True)
class AveragePool(Layer):
    """The mean of each window, halves away from zero."""

    window: Window
    kind: Literal["average_pool"] = "average_pool"


@dataclass(frozen=True)
class Mean(Layer):
    """The mean of all pixels of a channel."""

    padding: int
    scaling: Scaling = field(repr=False)
    """Of one channel, which is that of all; the number of pixels is in the multiplier."""
    kind: Literal["mean"] = "mean"


AnyLayer: TypeAlias = Convolution | Depthwise | Dense | MaxPool | AveragePool | Mean


@dataclass(frozen=True)
class IntegerNetwork:
    """A classifier in whole numbers: a picture goes through the layers one after another."""

    height: int
    """Of a picture, in pixels."""
    width: int
    layers: tuple[AnyLayer, ...]
    logit_scale: float
    """A logit is ``logit_scale * (value - zero)``."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.layers[-1].output.size

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one picture."""
        return sum(macs(layer) for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights and of what is done with the sums of each channel, as they lie in flash."""
        weighted = [layer for layer in self.layers if isinstance(layer, Convolution | Depthwise | Dense)]
        return sum(layer.weights.size + BYTES_OF_CHANNEL * len(layer.scaling.bias) for layer in weighted)


def macs(layer: AnyLayer) -> int:
    """Return the multiply-accumulates of a layer for one picture."""
    match layer:
        case Convolution():
            return layer.output.size * layer.window.taps * layer.input.channels
        case Depthwise():
            return layer.output.size * layer.window.taps
        case Dense():
            return layer.weights.size
        case _:
            return 0
