"""The second step: make sure that a converted model is what its scheme promises, and slim it.

What is promised is looked up in the flatbuffer, tensor by tensor, with the reader of the device: what that cannot read
is found here.
"""

import math
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.mnist_format import DIGITS, PICTURE_SHAPE
from edge_digits_runtime.model import schema
from edge_digits_runtime.model.card import Scheme
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.model.schema import Graph
from numpy.typing import NDArray

from edge_digits_convert.quantization import Quantized
from edge_digits_convert.strip import strip

DIGIT_SHAPES = (1, *PICTURE_SHAPE), (1, DIGITS)
"""Shapes of input and output of a model of the ten digits."""
INPUT_SCALE = float(np.float32(1 / 255))
"""With `INPUT_ZERO_POINT` the int8 input is the uint8 pixel with its top bit flipped."""
INPUT_ZERO_POINT = -128
_INTEGERS = ("INT8", "INT32")
"""Weights and activations; biases, shapes and axes."""
_RESCALING = ("QUANTIZE", "DEQUANTIZE")
_COMPUTED_SHAPES = ("SHAPE", "STRIDED_SLICE", "PACK")
_VARIABLES = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operators whose second input are weights, and whose third, if there is one, is a bias."""
_BYTES = {"INT8": 1, "FLOAT16": 2, "INT32": 4, "FLOAT32": 4}
"""Bytes of one weight by the type of its tensor."""


@dataclass(frozen=True)
class Verified:
    """A model that keeps the promises of its scheme, without what no interpreter reads."""

    flatbuffer: bytes
    scheme: Scheme
    bytes_before: int
    """Size of the flatbuffer before it was slimmed."""


def verify(quantized: Quantized, probe: NDArray[np.uint8]) -> Verified:
    """Check a converted model, slim it, and check that this changed no bit of any answer.

    Args:
        quantized: the model as the converter made it.
        probe: pictures to compare the answers on, shape ``(n, height, width)``.

    Raises:
        ModelError: a check failed; the message says what was found.
    """
    check_model(quantized.flatbuffer, quantized.scheme, ((1, *quantized.shape, 1), (1, quantized.classes)))
    slim = strip(quantized.flatbuffer)
    before, after = (DigitClassifier(content).outputs(probe) for content in (quantized.flatbuffer, slim))
    if not np.array_equal(before, after):
        raise ModelError("the slimmed model does not answer as the converted one does")
    return Verified(slim, quantized.scheme, len(quantized.flatbuffer))


def check_model(
    flatbuffer: bytes, scheme: Scheme, shapes: tuple[tuple[int, ...], tuple[int, ...]] = DIGIT_SHAPES
) -> None:
    """Check that a model takes one picture and gives logits in the way that its scheme promises.

    All schemes: one input and one output of ``shapes``, by default of ten digits; no operator that computes a shape
    at run time, and all weights in the file. int8: input scale 1/255 and zero point -128, every tensor of whole
    numbers, nothing that quantizes or dequantizes. The others: input and output are float32.

    Raises:
        ModelError: the model is not like that; the message says what was found.
    """
    graph = schema.read(flatbuffer).graphs[0]
    ends = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    found = [tensor.shape for tensor in ends]
    if found != list(shapes):
        raise ModelError(
            f"the converted model has inputs and outputs of shapes {found}, not {shapes[0]} and {shapes[1]}"
        )
    names = [operator.name for operator in graph.operators]
    _refuse(names, _COMPUTED_SHAPES, "the batch size must not be computed: leave out the layer that does it")
    _refuse(names, _VARIABLES, "its weights must be constants in the file")
    _check_weights(graph)
    if scheme != "int8":
        types = [tensor.type for tensor in ends]
        if types != ["FLOAT32", "FLOAT32"]:
            raise ModelError(f"the converted model has {' and '.join(types)} as input and output, not FLOAT32")
        return
    _refuse_float(graph)
    _refuse(names, _RESCALING, "an int8 model computes in whole numbers from end to end")
    for tensor in graph.tensors:
        if tensor.type not in _INTEGERS:
            label = tensor.name or f"number {tensor.index}"
            raise ModelError(
                f"tensor {label} of the converted model is {tensor.type}; allowed are {' and '.join(_INTEGERS)}"
            )
    scales, zero_points = ends[0].scales, ends[0].zero_points
    if scales != (INPUT_SCALE,) or zero_points != (INPUT_ZERO_POINT,):
        raise ModelError(
            f"the input of the converted model has scale {list(scales)} and zero point {list(zero_points)}, "
            f"not 1/255 and {INPUT_ZERO_POINT}"
        )


def operators(flatbuffer: bytes) -> list[str]:
    """Return the names of the operators in the order in which they run, such as ``CONV_2D``."""
    return [operator.name for operator in schema.read(flatbuffer).graphs[0].operators]


def _check_weights(graph: Graph) -> None:
    """Check that all weights and biases are in the file: the converter once left them out without a word."""
    weighted = [operator for operator in graph.operators if operator.name in _WEIGHTED]
    if not weighted:
        raise ModelError(f"the converted model has no weights: there is none of {', '.join(_WEIGHTED)} in it")
    # float16 stores weights in half precision and has an operator that widens them.
    widened = {operator.outputs[0]: operator.inputs[0] for operator in graph.operators if operator.name == "DEQUANTIZE"}
    for operator in weighted:
        # -1 stands for a bias that is not there.
        for index in (widened.get(index, index) for index in operator.inputs[1:] if index >= 0):
            tensor = graph.tensors[index]
            expected = math.prod(tensor.shape) * _BYTES.get(tensor.type, 0)
            if len(tensor.data) != expected or not expected:
                raise ModelError(
                    f"the converted model has {len(tensor.data)} bytes of weights for a {operator.name} that has "
                    f"{expected}"
                )
        kernel = graph.tensors[widened.get(operator.inputs[1], operator.inputs[1])]
        if not any(kernel.data):
            raise ModelError(f"all weights of a {operator.name} of the converted model are 0")


def _refuse_float(graph: Graph) -> None:
    """Refuse the first operator that int8 does not have: the converter leaves it in float, between two conversions."""
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]]
        if operator.name not in _RESCALING and output.type in ("FLOAT32", "BOOL"):
            where = output.name.split(";")[0]
            raise ModelError(
                f"the operator {operator.name} of {where} has no int8 form, so it would compute in float; take another "
                "layer there, such as ReLU or BatchNormalization, or convert with --float16 or --dynamic"
            )


def _refuse(found: list[str], forbidden: tuple[str, ...], reason: str) -> None:
    for name in found:
        if name in forbidden:
            raise ModelError(f"the converted model holds the operator {name}, but {reason}")
