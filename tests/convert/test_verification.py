"""Every fault of a converted model is found: each case changes one thing of a good model."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from edge_digits_convert import verification
from edge_digits_convert.inference import inference_function
from edge_digits_convert.quantization import Quantized, to_flatbuffer
from edge_digits_convert.strip import unpack
from edge_digits_convert.verification import check_model, operators, verify
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model.classifier import DigitClassifier

FLOAT32, UINT8 = schema.TensorType.FLOAT32, schema.TensorType.UINT8
POOL = schema.BuiltinOperator.MAX_POOL_2D


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
        model.operatorCodes[0].builtinCode = code
        model.operatorCodes[0].deprecatedBuiltinCode = min(code, 127)

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


def without_data(index: int) -> Callable[[Any, Any], None]:
    """Take away the values of an input of the first operator."""

    def change(model: Any, graph: Any) -> None:
        model.buffers[graph.tensors[graph.operators[0].inputs[index]].buffer].data = None

    return change


def without_any_data(model: Any, _graph: Any) -> None:
    for buffer in model.buffers:
        buffer.data = None


def half_the_data(model: Any, graph: Any) -> None:
    buffer = model.buffers[graph.tensors[graph.operators[0].inputs[1]].buffer]
    buffer.data = buffer.data[: len(buffer.data) // 2]


def zeros(model: Any, graph: Any) -> None:
    buffer = model.buffers[graph.tensors[graph.operators[0].inputs[1]].buffer]
    buffer.data = np.zeros_like(buffer.data)


def only_pooling(model: Any, graph: Any) -> None:
    """Leave a graph that has no weights to check."""
    graph.operators = [op for op in graph.operators if model.operatorCodes[op.opcodeIndex].builtinCode == POOL]


WITHOUT_WEIGHTS = {
    "no kernel": (without_data(1), "has 0 bytes of weights for a CONV_2D that has 72"),
    "no bias": (without_data(2), "has 0 bytes of weights for a CONV_2D that has 32"),
    "nothing": (without_any_data, "has 0 bytes of weights for a CONV_2D that has 72"),
    "half a kernel": (half_the_data, "has 36 bytes of weights for a CONV_2D that has 72"),
    "zeros": (zeros, "all weights of a CONV_2D of the converted model are 0"),
    "variables": (operator("VAR_HANDLE"), "holds the operator VAR_HANDLE, but its weights must be constants"),
    "no layer": (only_pooling, "has no weights: there is none of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED in it"),
}


@pytest.mark.parametrize("case", WITHOUT_WEIGHTS)
def test_a_model_without_its_weights_is_refused(good: bytes, case: str) -> None:
    change, message = WITHOUT_WEIGHTS[case]
    with pytest.raises(ModelError, match=message):
        check_model(changed(good, change), "int8")


def test_half_precision_weights_are_found_behind_the_operator_that_widens_them(
    cnn: keras.Model, digits: DataSet
) -> None:
    flatbuffer = to_flatbuffer(inference_function(cnn), "float16", digits.train.images[:10])
    assert "DEQUANTIZE" in operators(flatbuffer)
    check_model(flatbuffer, "float16")
    with pytest.raises(ModelError, match="has 0 bytes of weights for a "):
        check_model(changed(flatbuffer, without_any_data), "float16")


def test_weights_that_the_converter_left_out_are_noticed(cnn: keras.Model) -> None:
    # With a Keras model as the owner of its function the converter (TensorFlow 2.21) leaves every weight out and says
    # nothing.
    infer = tf.function(lambda x: cnn(x, training=False), input_signature=[tf.TensorSpec((1, 28, 28, 1), tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([infer.get_concrete_function()], cnn)
    with pytest.raises(ModelError, match="holds the operator VAR_HANDLE, but its weights must be constants"):
        check_model(bytes(converter.convert()), "float32")


BAD = {
    "float weights": (of_tensor(4, type=FLOAT32, name="conv"), "tensor conv of the converted model is FLOAT32"),
    "float, no name": (of_tensor(4, type=FLOAT32, name=None), "tensor number 4 of the converted model is FLOAT32"),
    "uint8 input": (of_tensor(0, type=UINT8), "is UINT8; allowed are INT8 and INT32"),
    "input scale": (of_input_quantization(scale=[np.float32(1 / 256)]), r"has scale \[0.00390625\] and zero point"),
    "input zero point": (of_input_quantization(zeroPoint=[0]), r"and zero point \[0\], not 1/255 and -128"),
    "input size": (
        of_tensor(0, shape=[1, 32, 32, 1]),
        r"inputs and outputs of shapes \[\(1, 32, 32, 1\), \(1, 10\)\], not \(1, 28",
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


def test_the_unchanged_model_passes(good: bytes) -> None:
    check_model(changed(good, lambda _model, _graph: None), "int8")


def test_a_float_model_has_float_input_and_output(good: bytes) -> None:
    with pytest.raises(ModelError, match="has INT8 and INT8 as input and output, not FLOAT32"):
        check_model(good, "float32")


def test_operator_codes_below_and_above_127(good: bytes) -> None:
    def old(model: Any, _graph: Any) -> None:
        model.operatorCodes[0].builtinCode = 0

    def new(model: Any, _graph: Any) -> None:
        model.operatorCodes[0].builtinCode = schema.BuiltinOperator.GELU
        model.operatorCodes[0].deprecatedBuiltinCode = 127

    assert operators(changed(good, old)) == operators(good)
    assert operators(changed(good, new))[0] == "GELU"


def test_verifying_slims_the_model_and_keeps_its_answers(good: bytes, digits: DataSet) -> None:
    probe = digits.test.images[:20]
    verified = verify(Quantized(good, "int8", (28, 28), 10), probe)
    assert (verified.scheme, verified.bytes_before) == ("int8", len(good))
    assert len(verified.flatbuffer) < len(good) - 1000
    before, after = (DigitClassifier(content).outputs(probe) for content in (good, verified.flatbuffer))
    np.testing.assert_array_equal(before, after)


def test_slimming_that_changes_an_answer_is_noticed(
    good: bytes, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flip(model: Any, graph: Any) -> None:
        buffer = model.buffers[graph.tensors[graph.operators[-1].inputs[1]].buffer]
        buffer.data = np.invert(buffer.data)

    monkeypatch.setattr(verification, "strip", lambda content: changed(content, flip))
    with pytest.raises(ModelError, match="the slimmed model does not answer as the converted one does"):
        verify(Quantized(good, "int8", (28, 28), 10), digits.test.images[:20])
