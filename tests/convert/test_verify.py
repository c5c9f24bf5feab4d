"""Each thing that a converted model must not be, made by changing one thing of a good one."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from edge_digits_convert.inference import inference_function
from edge_digits_convert.strip import unpack
from edge_digits_convert.tflite import to_flatbuffer
from edge_digits_convert.verify import check_model, operators
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import ModelError

FLOAT32, UINT8 = schema.TensorType.FLOAT32, schema.TensorType.UINT8


@pytest.fixture(scope="module")
def good(cnn: keras.Model, digits: DataSet) -> bytes:
    return to_flatbuffer(inference_function(cnn), "int8", digits.train.images[:50])


def changed(flatbuffer: bytes, change: Callable[[Any, Any], None]) -> bytes:
    model = unpack(flatbuffer)
    change(model, model.subgraphs[0])
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator(name: str) -> Callable[[Any, Any], None]:
    """Turn the first operator into another."""

    def change(model: Any, _graph: Any) -> None:
        code = getattr(schema.BuiltinOperator, name)
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = code

    return change


def of_tensor(index: int, **fields: Any) -> Callable[[Any, Any], None]:
    def change(_model: Any, graph: Any) -> None:
        for name, value in fields.items():
            setattr(graph.tensors[index], name, value)

    return change


def of_input_quantization(**fields: Any) -> Callable[[Any, Any], None]:
    def change(_model: Any, graph: Any) -> None:
        for name, value in fields.items():
            setattr(graph.tensors[graph.inputs[0]].quantization, name, value)

    return change


BAD = {
    "float weights": (of_tensor(4, type=FLOAT32, name="conv"), "tensor conv of the converted model is FLOAT32"),
    "float, no name": (of_tensor(4, type=FLOAT32, name=None), "tensor number 4 of the converted model is FLOAT32"),
    "uint8 input": (of_tensor(0, type=UINT8), "is UINT8; allowed are INT8 and INT32"),
    "input scale": (of_input_quantization(scale=[np.float32(1 / 256)]), r"has scale \[0.00390625\] and zero point"),
    "input zero point": (of_input_quantization(zeroPoint=[0]), r"and zero point \[0\], not 1/255 and -128"),
    "input size": (
        of_tensor(0, shape=[1, 32, 32, 1]),
        r"tensors \[\(1, 32, 32, 1\), \(1, 10\)\] at its ends, not \(1, 28",
    ),
    "quantize": (operator("QUANTIZE"), "holds the operator QUANTIZE, but an int8 model"),
    "dequantize": (operator("DEQUANTIZE"), "holds the operator DEQUANTIZE, but an int8 model"),
    "computed shape": (operator("SHAPE"), "holds the operator SHAPE, but the batch size"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_int8_model_is_refused(good: bytes, case: str) -> None:
    change, message = BAD[case]
    with pytest.raises(ModelError, match=message):
        check_model(changed(good, change), "int8")


def test_the_unchanged_model_is_good(good: bytes) -> None:
    check_model(changed(good, lambda _model, _graph: None), "int8")


def test_int8_at_the_ends_is_no_float_model(good: bytes) -> None:
    with pytest.raises(ModelError, match="has INT8 and INT8 at its ends, not FLOAT32"):
        check_model(good, "float32")


def test_operators_of_before_and_after_code_127(good: bytes) -> None:
    def old(model: Any, _graph: Any) -> None:
        model.operatorCodes[0].builtinCode = 0

    def new(model: Any, _graph: Any) -> None:
        model.operatorCodes[0].builtinCode = schema.BuiltinOperator.GELU
        model.operatorCodes[0].deprecatedBuiltinCode = 127

    assert operators(changed(good, old)) == operators(good)
    assert operators(changed(good, new))[0] == "GELU"
