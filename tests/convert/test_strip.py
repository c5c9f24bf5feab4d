"""Slimming, on flatbuffers built by hand and on converted ones."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from edge_digits_convert.inference import inference_function
from edge_digits_convert.quantization import to_flatbuffer
from edge_digits_convert.strip import strip, unpack
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.model.card import SCHEMES
from numpy.typing import NDArray

INT8, INT32 = schema.TensorType.INT8, schema.TensorType.INT32


def tensor(kind: int, shape: list[int], scale: list[float], buffer: int, name: str, zero: int = 0) -> Any:
    quantization = schema.QuantizationParametersT(
        min=[0.0], max=[1.0], scale=scale, zeroPoint=[zero] * len(scale), quantizedDimension=0
    )
    return schema.TensorT(shape, kind, buffer, name, quantization, shapeSignature=[-1, *shape[1:]], hasRank=True)


def pack(model: Any) -> bytes:
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def hand_built() -> bytes:
    """Two dense layers of two units in a row: y = W x, both with the weights ((1, 2), (3, -4)) of scale 0.5."""
    weights = np.array([1, 2, 3, -4], np.int8).view(np.uint8)
    bias = np.array([10, -10], np.int32).view(np.uint8)
    tensors = [
        tensor(INT8, [1, 2], [1.0], 1, "serving_default_picture:0"),
        tensor(INT8, [2, 2], [0.5, 0.5], 2, "first/kernel"),
        tensor(INT32, [2], [0.5, 0.5], 3, "first/bias"),
        tensor(INT8, [1, 2], [1.0], 4, "first/out"),
        tensor(INT8, [2, 2], [0.5, 0.5], 5, "second/kernel"),
        tensor(INT32, [2], [0.5, 0.5], 6, "second/bias"),
        tensor(INT8, [1, 2], [1.0], 7, "second/out"),
    ]
    dense = schema.BuiltinOperator.FULLY_CONNECTED
    operators = [
        schema.OperatorT(
            inputs=inputs,
            outputs=outputs,
            builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
            builtinOptions=schema.FullyConnectedOptionsT(),
        )
        for inputs, outputs in (([0, 1, 2], [3]), ([3, 4, 5], [6]))
    ]
    graph = schema.SubGraphT(tensors, [0], [6], operators, "main")
    signature = schema.SignatureDefT([], [], "serving_default", 0)
    data = [None, None, weights, bias, None, weights, bias, None, np.frombuffer(b"1.14.0", np.uint8)]
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(dense, None, 5, dense)],
        subgraphs=[graph],
        description="made by hand",
        buffers=[schema.BufferT(content) for content in data],
        metadata=[schema.MetadataT("min_runtime_version", 8)],
        signatureDefs=[signature],
    )
    return pack(model)


def test_what_is_left_of_a_hand_built_model(hand_built: bytes) -> None:
    stripped = strip(hand_built)
    model = unpack(stripped)
    graph = model.subgraphs[0]
    assert stripped[4:8] == b"TFL3"
    assert (model.version, model.description, model.metadata, model.signatureDefs) == (3, None, None, None)
    assert graph.name is None
    assert [t.name for t in graph.tensors] == [None] * 7
    assert [t.shapeSignature for t in graph.tensors] == [None] * 7
    assert [t.shape.tolist() for t in graph.tensors] == [[1, 2], [2, 2], [2], [1, 2], [2, 2], [2], [1, 2]]
    # Buffer 0 is empty; weights and bias of the second layer are those of the first.
    assert [t.buffer for t in graph.tensors] == [0, 1, 2, 0, 1, 2, 0]
    assert [b.data if b.data is None else b.data.tobytes().hex() for b in model.buffers] == [
        None,
        "010203fc",
        "0a000000f6ffffff",
    ]
    assert [t.quantization.scale.tolist() for t in graph.tensors][:3] == [[1.0], [0.5, 0.5], [0.5, 0.5]]
    assert all(t.quantization.min is None and t.quantization.max is None for t in graph.tensors)
    assert [(op.inputs.tolist(), op.outputs.tolist()) for op in graph.operators] == [([0, 1, 2], [3]), ([3, 4, 5], [6])]


def test_the_hand_built_model_computes_the_same(hand_built: bytes) -> None:
    # x = (2, 4) -> first (1·2 + 2·4 + 10, 3·2 - 4·4 - 10) / 2 = (10, -10) -> second (0, 30) then clipped by nothing:
    # (1·10 + 2·-10 + 10, 3·10 - 4·-10 - 10) / 2 = (0, 30).
    from ai_edge_litert.interpreter import Interpreter

    for flatbuffer in (hand_built, strip(hand_built)):
        interpreter = Interpreter(model_content=flatbuffer)
        interpreter.allocate_tensors()
        interpreter.set_tensor(0, np.array([[2, 4]], np.int8))
        interpreter.invoke()
        assert interpreter.get_tensor(6).tolist() == [[0, 30]]


def flattening(second_reader: int) -> bytes:
    """x of shape (1, 1, 2) is reshaped to (1, 2) for a dense layer; ``second_reader`` reads the row as well."""
    kinds = (schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.LOGISTIC)
    tensors = [
        tensor(INT8, [1, 1, 2], [1.0], 0, "picture"),
        schema.TensorT([2], INT32, 1, "shape"),
        tensor(INT8, [1, 2], [1.0], 0, "row"),
        tensor(INT8, [2, 2], [0.5, 0.5], 2, "kernel"),
        tensor(INT8, [1, 2], [1.0], 0, "out"),
        tensor(INT8, [1, 2], [1 / 256], 0, "also", zero=-128),
    ]
    dense = {
        "builtinOptionsType": schema.BuiltinOptions.FullyConnectedOptions,
        "builtinOptions": schema.FullyConnectedOptionsT(),
    }
    operators = [
        schema.OperatorT(opcodeIndex=0, inputs=[0, 1], outputs=[2]),
        schema.OperatorT(opcodeIndex=1, inputs=[2, 3, -1], outputs=[4], **dense),
        schema.OperatorT(opcodeIndex=second_reader, inputs=[2, 3, -1] if second_reader == 1 else [2], outputs=[5]),
    ]
    if second_reader == 1:
        operators[2].builtinOptionsType, operators[2].builtinOptions = dense.values()
    buffers = [None, np.array([-1, 2], np.int32).view(np.uint8), np.array([1, 2, 3, -4], np.int8).view(np.uint8)]
    return pack(
        schema.ModelT(
            version=3,
            operatorCodes=[schema.OperatorCodeT(kind, None, 1, kind) for kind in kinds],
            subgraphs=[schema.SubGraphT(tensors, [0], [4, 5], operators, "main")],
            buffers=[schema.BufferT(content) for content in buffers],
        )
    )


def test_dense_layers_flatten_their_input_themselves() -> None:
    model = unpack(strip(flattening(second_reader=1)))
    graph = model.subgraphs[0]
    assert [code.builtinCode for code in model.operatorCodes] == [schema.BuiltinOperator.FULLY_CONNECTED]
    assert [t.shape.tolist() for t in graph.tensors] == [[1, 1, 2], [2, 2], [1, 2], [1, 2]]
    assert [op.inputs.tolist() for op in graph.operators] == [[0, 1, -1], [0, 1, -1]]
    assert (graph.inputs.tolist(), graph.outputs.tolist()) == ([0], [2, 3])


def test_a_reshape_that_another_operator_reads_stays() -> None:
    model = unpack(strip(flattening(second_reader=2)))
    assert [op.opcodeIndex for op in model.subgraphs[0].operators] == [0, 1, 2]
    assert len(model.subgraphs[0].tensors) == 6


def test_equal_vectors_are_written_once(hand_built: bytes) -> None:
    stripped = strip(hand_built)
    for vector, count in ((b"\x02\0\0\0\x02\0\0\0\x02\0\0\0", 1), (np.array([0.5, 0.5], "<f4").tobytes(), 1)):
        assert hand_built.count(vector) > count
        assert stripped.count(vector) == count


def test_stripping_twice_changes_nothing_more(hand_built: bytes) -> None:
    assert strip(strip(hand_built)) == strip(hand_built)


def test_buffers_lie_on_multiples_of_16_bytes(hand_built: bytes) -> None:
    stripped = strip(hand_built)
    assert {stripped.index(bytes.fromhex(content)) % 16 for content in ("010203fc", "0a000000f6ffffff")} == {0}


@pytest.fixture(scope="module")
def converted(cnn: keras.Model, digits: DataSet) -> dict[str, bytes]:
    infer = inference_function(cnn)
    return {scheme: to_flatbuffer(infer, scheme, digits.train.images[:100]) for scheme in SCHEMES}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_answers_are_the_same_bit_for_bit(
    converted: dict[str, bytes],
    scheme: str,
    infer: Callable[[bytes, NDArray[np.uint8]], NDArray[Any]],
    pictures: NDArray[np.uint8],
) -> None:
    stripped = strip(converted[scheme])
    assert np.array_equal(infer(converted[scheme], pictures), infer(stripped, pictures))


def test_little_is_left_besides_the_weights(converted: dict[str, bytes]) -> None:
    stripped = strip(converted["int8"])
    data = sum(len(buffer.data) for buffer in unpack(stripped).buffers if buffer.data is not None)
    channels = 8 + 8 + 16 + 16 + 10
    # For each channel two scales of 4 bytes and a zero point of 8 that weights and biases share; the rest is structure:
    # seven operators of about 270 bytes.
    assert len(stripped) - data - 16 * channels < 2000
    assert len(converted["int8"]) - len(stripped) > 3000
