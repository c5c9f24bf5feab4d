"""What a converted model must be, looked up in the flatbuffer tensor by tensor."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from edge_digits_runtime.errors import ModelError

from edge_digits_convert.strip import unpack

INPUT_SHAPE = (1, 28, 28, 1)
OUTPUT_SHAPE = (1, 10)
INPUT_SCALE = np.float32(1 / 255)
"""With `INPUT_ZERO_POINT` the int8 input is the uint8 pixel with its top bit flipped."""
INPUT_ZERO_POINT = -128
_INTEGERS = ("INT8", "INT32")
"""Weights and activations; biases, shapes and axes."""
_RESCALING = ("QUANTIZE", "DEQUANTIZE")
_COMPUTED_SHAPES = ("SHAPE", "STRIDED_SLICE", "PACK")


def check_model(flatbuffer: bytes, scheme: str) -> None:
    """Check that a model takes one picture and gives ten logits in the way that its scheme promises.

    All schemes: one input of shape `INPUT_SHAPE`, one output of shape `OUTPUT_SHAPE`, and no operator that computes
    a shape at run time. int8: input scale 1/255 and zero point -128, every tensor of whole numbers, nothing that
    quantizes or dequantizes. The others: input and output are float32.

    Raises:
        ModelError: the model is not like that; the message says what was found.
    """
    graph = unpack(flatbuffer).subgraphs[0]
    ends = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    shapes = [tuple(int(size) for size in tensor.shape) for tensor in ends]
    if shapes != [INPUT_SHAPE, OUTPUT_SHAPE]:
        raise ModelError(f"the converted model has tensors {shapes} at its ends, not {INPUT_SHAPE} and {OUTPUT_SHAPE}")
    names = operators(flatbuffer)
    _refuse(names, _COMPUTED_SHAPES, "the batch size must not be computed")
    if scheme != "int8":
        types = [tensor_type(tensor) for tensor in ends]
        if types != ["FLOAT32", "FLOAT32"]:
            raise ModelError(f"the converted model has {' and '.join(types)} at its ends, not FLOAT32")
        return
    _refuse(names, _RESCALING, "an int8 model computes in whole numbers from end to end")
    for index, tensor in enumerate(graph.tensors):
        if tensor_type(tensor) not in _INTEGERS:
            label = (tensor.name or b"").decode() or f"number {index}"
            kind = tensor_type(tensor)
            raise ModelError(f"tensor {label} of the converted model is {kind}; allowed are {' and '.join(_INTEGERS)}")
    quantization = ends[0].quantization
    if tuple(quantization.scale) != (INPUT_SCALE,) or tuple(quantization.zeroPoint) != (INPUT_ZERO_POINT,):
        raise ModelError(
            f"the input of the converted model has scale {quantization.scale} and zero point "
            f"{quantization.zeroPoint}, not 1/255 and {INPUT_ZERO_POINT}"
        )


def operators(flatbuffer: bytes) -> list[str]:
    """Names of the operators in the order in which they run, such as ``CONV_2D``."""
    model = unpack(flatbuffer)
    # Files of before 2020 have the code in the first field, and codes above 127 are only in the second.
    codes = [max(code.deprecatedBuiltinCode, code.builtinCode) for code in model.operatorCodes]
    return [_OPERATOR_NAMES[codes[operator.opcodeIndex]] for operator in model.subgraphs[0].operators]


def tensor_type(tensor: Any) -> str:
    """Name of a tensor's type, such as ``INT8``."""
    return _TYPE_NAMES[tensor.type]


def _refuse(found: list[str], forbidden: tuple[str, ...], reason: str) -> None:
    for name in found:
        if name in forbidden:
            raise ModelError(f"the converted model holds the operator {name}, but {reason}")


def _names(constants: type) -> dict[int, str]:
    return {value: name for name, value in vars(constants).items() if isinstance(value, int)}


_OPERATOR_NAMES = _names(schema.BuiltinOperator)
_TYPE_NAMES = _names(schema.TensorType)
