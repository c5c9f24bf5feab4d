"""The layers of a network as plain data: output shapes, parameters and multiply-accumulates, without Keras.

Multiply-accumulates (MACs) follow the formulas of the study "Comparative Analysis of Multi-Layer Perceptron (MLP)
and Convolutional Neural Networks (CNN) for Handwritten Digit Recognition", section 5.3: ``n_in * n_out`` for a dense
layer, ``H * W * K² * C_in * C_out`` for a convolution, with H × W the size of its output map. Bias, activation,
batch normalization (folded into the weights on the device) and pooling are not counted.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from edge_digits_runtime.mnist_format import PICTURE_SHAPE

Shape = tuple[int, ...]
"""Shape of one picture or its features, without the batch: ``(height, width, channels)`` or ``(units,)``."""

ACTIVATIONS = ("linear", "relu", "relu6")
PADDINGS = ("same", "valid")


@dataclass(frozen=True)
class Layer(ABC):
    """One layer. Its methods take the shape of its input and raise `ValueError` where that does not fit.

    This base class keeps the shape, has no parameters and multiplies nothing.
    """

    kind: ClassVar[str]
    """Name of the kind of layer in JSON."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short name with the size, such as ``conv3x3-32``."""

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of the output."""
        return shape

    def rows(self, shape: Shape) -> "tuple[Row, ...]":
        """Return its lines of a network's table: one, but for a whole network."""
        return (Row(self.name, self.output_shape(shape), self.parameters(shape), self.macs(shape)),)

    def parameters(self, _shape: Shape) -> int:
        """Return the number of trainable parameters."""
        return 0

    def macs(self, _shape: Shape) -> int:
        """Return the multiply-accumulates of one picture."""
        return 0


@dataclass(frozen=True)
class Row:
    """One line of a network's table."""

    name: str
    """Name of the layer, such as ``conv3x3-32``."""
    output_shape: Shape
    parameters: int
    """Number of trainable parameters."""
    macs: int
    """Multiply-accumulates of one picture."""


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution with a square kernel, then batch normalization if ``batch_norm``, then the activation."""

    kind: ClassVar[str] = "conv"
    filters: int
    """Number of output channels."""
    kernel: int = 3
    """Side of the kernel in pixels."""
    stride: int = 1
    padding: str = "same"
    """One of `PADDINGS`."""
    use_bias: bool = True
    batch_norm: bool = False
    activation: str = "relu"
    """One of `ACTIVATIONS`."""

    def __post_init__(self) -> None:
        _check_window(self.filters, self.kernel, self.stride, self.padding, self.activation)

    @property
    def name(self) -> str:
        return f"conv{_window_name(self.kernel, self.stride)}-{self.filters}"

    def output_shape(self, shape: Shape) -> Shape:
        return (*_slide(shape, self.kernel, self.stride, self.padding), self.filters)

    def parameters(self, shape: Shape) -> int:
        kernel = self.kernel**2 * shape[2] * self.filters
        return kernel + self.filters * (self.use_bias + 2 * self.batch_norm)

    def macs(self, shape: Shape) -> int:
        return math.prod(self.output_shape(shape)) * self.kernel**2 * shape[2]


@dataclass(frozen=True)
class DepthwiseConv(Layer):
    """Convolution of each channel with a kernel of its own, then batch normalization and activation as in `Conv`."""

    kind: ClassVar[str] = "depthwise"
    kernel: int = 3
    """Side of the kernel in pixels."""
    stride: int = 1
    padding: str = "same"
    """One of `PADDINGS`."""
    multiplier: int = 1
    """Number of output channels for each input channel."""
    use_bias: bool = True
    batch_norm: bool = False
    activation: str = "relu"
    """One of `ACTIVATIONS`."""

    def __post_init__(self) -> None:
        _check_window(self.multiplier, self.kernel, self.stride, self.padding, self.activation)

    @property
    def name(self) -> str:
        return f"depthwise{_window_name(self.kernel, self.stride)}" + (f"-x{self.multiplier}" * (self.multiplier > 1))

    def output_shape(self, shape: Shape) -> Shape:
        return (*_slide(shape, self.kernel, self.stride, self.padding), shape[2] * self.multiplier)

    def parameters(self, shape: Shape) -> int:
        return shape[2] * self.multiplier * (self.kernel**2 + self.use_bias + 2 * self.batch_norm)

    def macs(self, shape: Shape) -> int:
        return math.prod(self.output_shape(shape)) * self.kernel**2


@dataclass(frozen=True)
class Pool(Layer):
    """Maximum of each ``size`` × ``size`` square; a remainder at the right and lower edge is dropped."""

    kind: ClassVar[str] = "pool"
    size: int = 2
    """Side of the square in pixels, and its stride."""

    def __post_init__(self) -> None:
        _check_positive(size=self.size)

    @property
    def name(self) -> str:
        return f"pool{self.size}"

    def output_shape(self, shape: Shape) -> Shape:
        return (*_slide(shape, self.size, self.size, "valid"), shape[2])


@dataclass(frozen=True)
class GlobalPool(Layer):
    """Mean of each channel."""

    kind: ClassVar[str] = "global-pool"

    @property
    def name(self) -> str:
        return "globalpool"

    def output_shape(self, shape: Shape) -> Shape:
        _check_map(shape)
        return (shape[2],)


@dataclass(frozen=True)
class Flatten(Layer):
    """All values of a map in one row."""

    kind: ClassVar[str] = "flatten"

    @property
    def name(self) -> str:
        return "flatten"

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True)
class Dense(Layer):
    """Every output from every input, then batch normalization if ``batch_norm``, then the activation."""

    kind: ClassVar[str] = "dense"
    units: int
    """Number of outputs."""
    activation: str = "relu"
    """One of `ACTIVATIONS`."""
    use_bias: bool = True
    batch_norm: bool = False

    def __post_init__(self) -> None:
        _check_positive(units=self.units)
        _check_choice("activation", self.activation, ACTIVATIONS)

    @property
    def name(self) -> str:
        return f"dense-{self.units}"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ValueError(f"{self.name} takes a row of values, not shape {shape}: put a flatten in front")
        return (self.units,)

    def parameters(self, shape: Shape) -> int:
        return self.units * (shape[0] + self.use_bias + 2 * self.batch_norm)

    def macs(self, shape: Shape) -> int:
        return shape[0] * self.units


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets a share of the values to 0 and scales up the others, in training only."""

    kind: ClassVar[str] = "dropout"
    rate: float
    """Share in [0, 1)."""

    def __post_init__(self) -> None:
        _check_rate(self.rate)

    @property
    def name(self) -> str:
        return f"dropout-{self.rate:g}"


@dataclass(frozen=True)
class SpatialDropout(Layer):
    """Sets a share of the channels to 0 and scales up the others, in training only (PyTorch: Dropout2d)."""

    kind: ClassVar[str] = "spatial-dropout"
    rate: float
    """Share in [0, 1)."""

    def __post_init__(self) -> None:
        _check_rate(self.rate)

    def output_shape(self, shape: Shape) -> Shape:
        _check_map(shape)
        return shape

    @property
    def name(self) -> str:
        return f"dropout2d-{self.rate:g}"


@dataclass(frozen=True)
class GaussianNoise(Layer):
    """Adds normally distributed noise, in training only."""

    kind: ClassVar[str] = "gaussian-noise"
    stddev: float
    """Standard deviation, at least 0."""

    def __post_init__(self) -> None:
        if not 0 <= self.stddev < math.inf:
            raise ValueError(f"stddev is {self.stddev}; allowed is 0 or more")

    @property
    def name(self) -> str:
        return f"noise-{self.stddev:g}"


def shapes(layers: Sequence[Layer], shape: Shape = PICTURE_SHAPE) -> Iterator[Shape]:
    """Yield the input shape of each layer in turn, and then the output shape of the last.

    Raises:
        ValueError: a layer does not fit the one in front of it.
    """
    yield shape
    for layer in layers:
        shape = layer.output_shape(shape)
        yield shape


def table(layers: Sequence[Layer], shape: Shape = PICTURE_SHAPE) -> tuple[Row, ...]:
    """Return one row for each layer, and all of a whole network.

    Raises:
        ValueError: a layer does not fit the one in front of it.
    """
    pairs = zip(layers, shapes(layers, shape), strict=False)
    return tuple(row for layer, each in pairs for row in layer.rows(each))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many pixels 'same' pads in front of and behind an axis of ``size``, in TensorFlow and Keras."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _slide(shape: Shape, kernel: int, stride: int, padding: str) -> tuple[int, int]:
    """Return height and width of the map that a sliding window makes of ``shape``."""
    _check_map(shape)
    if padding == "same":
        height, width = (math.ceil(size / stride) for size in shape[:2])
    else:
        height, width = ((size - kernel) // stride + 1 for size in shape[:2])
    if min(height, width) < 1:
        raise ValueError(f"a window of {kernel} × {kernel} does not fit into {shape[0]} × {shape[1]} pixels")
    return height, width


def _window_name(kernel: int, stride: int) -> str:
    return f"{kernel}x{kernel}" + (f"/{stride}" if stride > 1 else "")


def _check_window(channels: int, kernel: int, stride: int, padding: str, activation: str) -> None:
    _check_positive(channels=channels, kernel=kernel, stride=stride)
    _check_choice("padding", padding, PADDINGS)
    _check_choice("activation", activation, ACTIVATIONS)


def _check_map(shape: Shape) -> None:
    if len(shape) != 3:
        raise ValueError(f"the layer takes a map of (height, width, channels), not shape {shape}")


def _check_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; allowed is 1 or more")


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise ValueError(f"rate is {rate}; allowed is 0 to below 1")


def _check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; allowed are {', '.join(allowed)}")
