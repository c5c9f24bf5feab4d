"""What each known operator demands of its tensors: how many, of which types and shapes, and which options.

A rule computes the shape of the result as the kernels do, and compares it with the one in the file. What no classifier
here needs raises `UnknownUse`: it may run, but nobody has looked at what happens when it is wrong. Kernels abort the
process on some numbers, instead of returning an error; `_rescale` and the rules of single operators keep them out.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_digits_runtime.model.schema import Operator, Tensor

Shape = tuple[int, ...]
_QUANTIZED = ("INT8", "UINT8")
_PLAIN = ("FLOAT32", *_QUANTIZED)
_ACTIVATIONS = range(4)
"""None, RELU, RELU_N1_TO_1 and RELU6."""
_LARGEST_WINDOW = 1024
"""Strides, dilations and windows of pooling, in pixels."""
_LARGEST_MULTIPLIER = 256.0
"""Kernels abort where a number would be multiplied by as much to be stored at another scale; usual is less than 1."""


class Misfit(Exception):
    """Something that does not fit."""


class UnknownUse(Exception):
    """An operator, or a use of one, that no rule covers."""


class Step:
    """An operator with its tensors.

    Attributes:
        operator: as it was read.
        inputs: its tensors; None for an optional one that is absent.
        outputs: the same.
        macs: multiply-accumulates of one run, set by the rule.
    """

    def __init__(self, operator: Operator, tensors: Sequence[Tensor]) -> None:
        self.operator = operator
        self.inputs = [None if index < 0 else tensors[index] for index in operator.inputs]
        self.outputs = [tensors[index] for index in operator.outputs]
        self.macs = 0

    def check(self) -> None:
        """Apply the rule of the operator.

        Raises:
            Misfit: it does not fit.
            UnknownUse: there is no rule for it.
        """
        rule = RULES.get(self.operator.name)
        if rule is None:
            raise UnknownUse(self.operator.name)
        if self.operator.special:
            raise UnknownUse(f"{self.operator.name} with {self.operator.special}")
        rule(self)

    def tensors(self, inputs: int, optional: int = 0) -> list[Tensor]:
        """Return the inputs, then the one output; for absent inputs at the end, nothing.

        Raises:
            Misfit: there are not as many.
        """
        found = list(self.inputs)
        while len(found) > inputs and found[-1] is None:
            found.pop()
        present = [tensor for tensor in found if tensor is not None]
        if len(present) != len(found) or not inputs <= len(found) <= inputs + optional or len(self.outputs) != 1:
            raise Misfit(f"it has {len(self.inputs)} inputs and {len(self.outputs)} outputs")
        return [*present, self.outputs[0]]

    def option(self, name: str, allowed: Sequence[Any] | None = None) -> Any:
        """Return an option.

        Raises:
            Misfit: the file does not state the options of this operator, or another value than those ``allowed``.
        """
        if name not in self.operator.options:
            raise Misfit("its options are missing, or those of another operator")
        value = self.operator.options[name]
        if allowed is not None and value not in allowed:
            raise Misfit(f"its option {name} is {value}")
        return value

    def gives(self, shape: Sequence[int]) -> None:
        """Check the shape of the output.

        Raises:
            Misfit: it is another.
        """
        if self.outputs[0].shape != tuple(shape):
            raise Misfit(f"its output is {_text(self.outputs[0].shape)}, but it computes {_text(shape)}")

    def types(self, tensors: Sequence[Tensor], allowed: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        """Return the types of tensors.

        Raises:
            UnknownUse: they are not among those ``allowed``.
        """
        found = tuple(tensor.type for tensor in tensors)
        if found not in allowed:
            raise UnknownUse(f"{self.operator.name} of {' and '.join(found)}")
        return found


def constant(tensor: Tensor) -> list[int]:
    """Return the numbers of an input that says how an operator works, such as the axes of a sum.

    Raises:
        UnknownUse: it is computed, or no int32.
    """
    if not tensor.constant or tensor.type != "INT32" or len(tensor.shape) > 2:
        raise UnknownUse("a shape that is only known when it runs")
    numbers: list[int] = tensor.array.reshape(-1).tolist()
    return numbers


def _window(step: Step, size: Shape, kernel: Shape, dilation: Shape = (1, 1)) -> list[int]:
    """Return height and width of what a convolution or pooling of pictures of that size gives."""
    same = step.option("padding", range(2)) == 0
    step.option("fused_activation_function", _ACTIVATIONS)
    result = []
    for name, length, taps, spread in zip(("stride_h", "stride_w"), size, kernel, dilation, strict=True):
        stride = step.option(name, range(1, _LARGEST_WINDOW + 1))
        reach = (taps - 1) * spread + 1
        if not same and reach > length:
            raise Misfit(f"its window of {reach} pixels is larger than a picture of {length}")
        result.append(-(-length // stride) if same else (length - reach) // stride + 1)
    return result


def _weighted(step: Step, channels: int, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return input, weights and output of an operator with weights for so many output channels."""
    picture, kernel, *bias, output = step.tensors(2, optional=1)
    types = step.types(
        (picture, kernel, output),
        [("FLOAT32", "FLOAT32", "FLOAT32"), ("INT8", "INT8", "INT8"), ("FLOAT32", "INT8", "FLOAT32")],
    )
    for tensor in bias:
        if tensor.shape != (channels,):
            raise Misfit(f"its bias is {_text(tensor.shape)}, and it has {channels} channels")
        step.types([tensor], [("INT32",) if types[0] == "INT8" else ("FLOAT32",)])
    if "INT8" in types:
        scales = _scales(kernel, channels, axis)
        if any(kernel.zero_points):
            raise Misfit("its weights have a zero point")
        if types[0] == "INT8":
            _rescale(_scale(picture) * scale / _scale(output) for scale in scales)
            if bias:
                _scales(bias[0], channels, 0)
    return picture, kernel, output


def _convolution(step: Step) -> None:
    picture, kernel = _of_rank(step, 4, 4)
    channels, *window, depth = kernel.shape
    if picture.shape[3] % depth or channels % (picture.shape[3] // depth):
        raise Misfit(f"its weights are for {depth} channels, and its input has {picture.shape[3]}")
    if picture.shape[3] != depth:
        raise UnknownUse("CONV_2D of groups")
    _weighted(step, channels, axis=0)
    size = _window(step, picture.shape[1:3], tuple(window), _dilation(step))
    step.gives((picture.shape[0], *size, channels))
    step.macs = math.prod(step.outputs[0].shape) * math.prod(window) * depth


def _depthwise(step: Step) -> None:
    picture, kernel = _of_rank(step, 4, 4)
    one, *window, channels = kernel.shape
    if one != 1 or channels != picture.shape[3] * step.option("depth_multiplier"):
        raise Misfit(f"its weights are {_text(kernel.shape)}, and its input has {picture.shape[3]} channels")
    _weighted(step, channels, axis=3)
    size = _window(step, picture.shape[1:3], tuple(window), _dilation(step))
    step.gives((picture.shape[0], *size, channels))
    step.macs = math.prod(step.outputs[0].shape) * math.prod(window)


def _dilation(step: Step) -> Shape:
    allowed = range(1, _LARGEST_WINDOW + 1)
    return step.option("dilation_h_factor", allowed), step.option("dilation_w_factor", allowed)


def _dense(step: Step) -> None:
    picture, kernel = step.tensors(2, optional=1)[:2]
    if len(kernel.shape) != 2 or not picture.shape:
        raise Misfit(f"its weights are {_text(kernel.shape)}, and its input is {_text(picture.shape)}")
    channels, depth = kernel.shape
    size = math.prod(picture.shape)
    if size % depth:
        raise Misfit(f"its weights are for {depth} numbers, and its input has {size}")
    _weighted(step, channels, axis=0)
    step.option("fused_activation_function", _ACTIVATIONS)
    if step.option("weights_format"):
        raise UnknownUse("FULLY_CONNECTED of shuffled weights")
    if step.option("keep_num_dims"):
        if picture.shape[-1] != depth:
            raise Misfit(f"its weights are for {depth} numbers, and its input has rows of {picture.shape[-1]}")
        step.gives((*picture.shape[:-1], channels))
    else:
        step.gives((size // depth, channels))
    step.macs = size * channels


def _pooling(step: Step) -> None:
    (picture,) = _of_rank(step, 4)
    output = step.tensors(1)[-1]
    _same_type(step, picture, output)
    window = tuple(step.option(name, range(1, _LARGEST_WINDOW + 1)) for name in ("filter_height", "filter_width"))
    if any(taps > 2 * length for taps, length in zip(window, picture.shape[1:3], strict=True)):
        raise Misfit(f"its window is {_text(window)}, and its input {_text(picture.shape)}")
    step.gives((picture.shape[0], *_window(step, picture.shape[1:3], window), picture.shape[3]))
    step.macs = math.prod(output.shape) * math.prod(window)


def _elementwise(step: Step) -> None:
    picture, output = step.tensors(1)
    _same_type(step, picture, output, rescaled=True)
    if step.operator.name == "LEAKY_RELU":
        alpha = step.option("alpha")
        if not abs(alpha) <= 100:
            raise Misfit(f"its option alpha is {alpha}")
    step.gives(picture.shape)


def _softmax(step: Step) -> None:
    picture, output = step.tensors(1)
    _same_type(step, picture, output, rescaled=True)
    beta = step.option("beta")
    if not 1e-3 <= beta <= 1e3 or (picture.type in _QUANTIZED and not 2.0**-24 < beta * _scale(picture) < 2.0**24):
        raise Misfit(f"its option beta is {beta}")
    if not 1 <= len(picture.shape) <= 4:
        raise Misfit(f"its input is {_text(picture.shape)}")
    step.gives(picture.shape)


def _arithmetic(step: Step) -> None:
    left, right, output = step.tensors(2)
    step.option("fused_activation_function", _ACTIVATIONS)
    name = step.operator.name
    kinds = _PLAIN if name != "DIV" else ("FLOAT32",)
    if step.types((left, right, output), [(kind,) * 3 for kind in kinds])[0] != "FLOAT32":
        first, second, result = _scale(left), _scale(right), _scale(output)
        if name == "MUL":
            _rescale([first * second / result])
        elif max(first, second) / result >= 2.0**18 or min(first, second) / max(first, second) <= 2.0**-28:
            raise Misfit(f"its scales are {first:.3g}, {second:.3g} and {result:.3g}")
    if max(len(left.shape), len(right.shape)) > 4:
        raise UnknownUse(f"{name} of more than four axes")
    try:
        step.gives(np.broadcast_shapes(left.shape, right.shape))
    except ValueError as error:
        raise Misfit(f"its inputs are {_text(left.shape)} and {_text(right.shape)}") from error


def _concatenation(step: Step) -> None:
    parts = [tensor for tensor in step.inputs if tensor is not None]
    if not parts or len(parts) != len(step.inputs) or len(step.outputs) != 1:
        raise Misfit("it has no inputs, or absent ones")
    for part in parts:
        _same_type(step, part, step.outputs[0])
    rank, axis = len(parts[0].shape), step.option("axis")
    step.option("fused_activation_function", range(1))
    if not -rank <= axis < rank <= 4:
        raise Misfit(f"its option axis is {axis}, and its input is {_text(parts[0].shape)}")
    axis %= rank
    rest = {part.shape[:axis] + part.shape[axis + 1 :] for part in parts}
    if len(rest) > 1 or any(len(part.shape) != rank for part in parts):
        raise Misfit(f"its inputs are {' and '.join(_text(part.shape) for part in parts)}")
    step.gives((*parts[0].shape[:axis], sum(part.shape[axis] for part in parts), *parts[0].shape[axis + 1 :]))


def _reshape(step: Step) -> None:
    picture, *more, output = step.tensors(1, optional=1)
    _same_type(step, picture, output, (*_PLAIN, "INT32"))
    if more and len(more[0].shape) != 1:
        raise UnknownUse("RESHAPE of an old file")
    wanted = constant(more[0]) if more else list(step.option("new_shape"))
    size = math.prod(picture.shape)
    if min(wanted, default=1) < -1 or wanted.count(-1) > 1 or 0 in wanted or size % math.prod(map(abs, wanted)):
        raise Misfit(f"it makes {_text(wanted)} of {_text(picture.shape)}")
    rest = size // math.prod(map(abs, wanted))
    step.gives([rest if length == -1 else length for length in wanted])
    if math.prod(output.shape) != size:
        raise Misfit(f"it makes {_text(wanted)} of {_text(picture.shape)}")


def _reduction(step: Step) -> None:
    picture, axes_tensor, output = step.tensors(2)
    if step.operator.name == "SUM":
        step.types((picture, output), [("FLOAT32", "FLOAT32")])
    _same_type(step, picture, output, rescaled=True)
    rank, axes = len(picture.shape), constant(axes_tensor)
    if not 1 <= rank <= 4 or any(not -rank <= axis < rank for axis in axes) or not 1 <= len(axes) <= rank:
        raise Misfit(f"it goes along axes {axes} of {_text(picture.shape)}")
    along = {axis % rank for axis in axes}
    kept = step.option("keep_dims")
    lengths = [1 if axis in along else length for axis, length in enumerate(picture.shape)]
    step.gives(lengths if kept else [length for axis, length in enumerate(lengths) if axis not in along])


def _padding(step: Step) -> None:
    picture, amounts, output = step.tensors(2)
    _same_type(step, picture, output)
    rank = len(picture.shape)
    if not 1 <= rank <= 4 or amounts.shape != (rank, 2):
        raise Misfit(f"it pads {_text(picture.shape)} by {_text(amounts.shape)}")
    pairs = np.reshape(constant(amounts), (rank, 2)).tolist()
    if any(amount < 0 for pair in pairs for amount in pair):
        raise Misfit(f"it pads by {pairs}")
    step.gives([length + sum(pair) for length, pair in zip(picture.shape, pairs, strict=True)])


def _transposition(step: Step) -> None:
    picture, order, output = step.tensors(2)
    _same_type(step, picture, output)
    axes = constant(order)
    if sorted(axes) != list(range(len(picture.shape))) or len(axes) > 5 or order.shape != (len(axes),):
        raise Misfit(f"it orders {_text(picture.shape)} by {axes}")
    step.gives([picture.shape[axis] for axis in axes])


def _slice(step: Step) -> None:
    picture, *limits, output = step.tensors(4)
    _same_type(step, picture, output)
    rank = len(picture.shape)
    if step.option("ellipsis_mask") or step.option("new_axis_mask") or step.option("offset"):
        raise UnknownUse("STRIDED_SLICE with an ellipsis, a new axis or an offset")
    if not 1 <= rank <= 4 or any(tensor.shape != (rank,) for tensor in limits):
        raise Misfit(f"it cuts {_text(picture.shape)} by {' and '.join(_text(tensor.shape) for tensor in limits)}")
    begins, ends, strides = map(constant, limits)
    masks = [step.option(name) for name in ("begin_mask", "end_mask", "shrink_axis_mask")]
    shape = []
    for axis, length in enumerate(picture.shape):
        first, last, shrunk = (mask >> axis & 1 for mask in masks)
        if strides[axis] < 1 or strides[axis] > length:
            raise UnknownUse("STRIDED_SLICE that goes backwards or further than the input")
        begin, end = 0 if first else begins[axis], length if last else ends[axis]
        if shrunk:
            if not 0 <= begin < length or first or strides[axis] != 1:
                raise Misfit(f"it takes number {begin} of {length}")
            continue
        if not 0 <= (begin + length if begin < 0 else begin) < (end + length if end < 0 else end) <= length:
            raise Misfit(f"it cuts {begin} to {end} of {length}")
        span = (end + length if end < 0 else end) - (begin + length if begin < 0 else begin)
        shape.append(-(-span // strides[axis]))
    step.gives(shape)


def _conversion(step: Step) -> None:
    picture, output = step.tensors(1)
    if step.operator.name == "QUANTIZE":
        types = step.types((picture, output), [(a, b) for a in _PLAIN for b in _QUANTIZED])
        if types[0] == "FLOAT32":
            _scale(output)
        else:
            _rescale([_scale(picture) / _scale(output)])
    else:
        types = step.types((picture, output), [(kind, "FLOAT32") for kind in (*_QUANTIZED, "FLOAT16")])
        if types[0] != "FLOAT16":
            _scale(picture)
    step.gives(picture.shape)


def _of_rank(step: Step, *ranks: int) -> list[Tensor]:
    found = [tensor for tensor in step.inputs[: len(ranks)] if tensor is not None]
    if [len(tensor.shape) for tensor in found] != list(ranks):
        raise Misfit(f"its inputs are {' and '.join(_text(tensor.shape) for tensor in found)}")
    return found


def _same_type(
    step: Step, before: Tensor, after: Tensor, allowed: tuple[str, ...] = _PLAIN, rescaled: bool = False
) -> None:
    """Check that two tensors store numbers alike; ``rescaled`` if the operator may change their scale."""
    if before.type != after.type:
        raise Misfit(f"it makes {after.type} of {before.type}")
    if before.type not in allowed:
        raise UnknownUse(f"{step.operator.name} of {before.type}")
    if before.type in _QUANTIZED:
        _rescale([_scale(before) / _scale(after)])
        if not rescaled and (before.scales, before.zero_points) != (after.scales, after.zero_points):
            raise Misfit(f"it makes scale {after.scales} of {before.scales}")


def _scale(tensor: Tensor) -> float:
    """Return the one scale of a quantized tensor."""
    return _scales(tensor, 1, 0)[0]


def _scales(tensor: Tensor, channels: int, axis: int) -> tuple[float, ...]:
    """Return the scales of a quantized tensor: one, or one for each channel."""
    count = len(tensor.scales)
    if count not in (1, channels) or len(tensor.zero_points) != count or (count > 1 and tensor.axis != axis):
        raise Misfit(f"tensor {tensor.index} has {count} scales and {len(tensor.zero_points)} zero points")
    return tensor.scales


def _rescale(multipliers: Any) -> None:
    for multiplier in multipliers:
        if not multiplier < _LARGEST_MULTIPLIER:
            raise Misfit(f"its scales are {multiplier:.3g} apart")


def _text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "one number"


RULES: dict[str, Callable[[Step], None]] = {
    "ADD": _arithmetic,
    "AVERAGE_POOL_2D": _pooling,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEQUANTIZE": _conversion,
    "DIV": _arithmetic,
    "FULLY_CONNECTED": _dense,
    "HARD_SWISH": _elementwise,
    "LEAKY_RELU": _elementwise,
    "LOGISTIC": _elementwise,
    "MAX_POOL_2D": _pooling,
    "MEAN": _reduction,
    "MUL": _arithmetic,
    "PAD": _padding,
    "QUANTIZE": _conversion,
    "RELU": _elementwise,
    "RELU6": _elementwise,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
    "STRIDED_SLICE": _slice,
    "SUB": _arithmetic,
    "SUM": _reduction,
    "TANH": _elementwise,
    "TRANSPOSE": _transposition,
}
"""The operators that are known, by name."""
