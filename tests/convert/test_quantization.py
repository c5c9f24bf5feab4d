"""Every tensor and operator that the converter makes."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as generated
from edge_digits_convert.inference import inference_function
from edge_digits_convert.quantization import to_flatbuffer
from edge_digits_convert.strip import unpack
from edge_digits_convert.verification import check_model, operators
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.model import schema
from edge_digits_runtime.model.card import SCHEMES
from edge_digits_train.engine.keras_model import build
from edge_digits_train.recipes.catalogue import RECIPES
from numpy.typing import NDArray

Infer = Callable[[bytes, NDArray[np.uint8]], NDArray[Any]]


@pytest.fixture(scope="module")
def converted(cnn: keras.Model, digits: DataSet) -> dict[str, bytes]:
    """The small network by scheme."""
    infer = inference_function(cnn)
    return {scheme: to_flatbuffer(infer, scheme, digits.train.images[:200]) for scheme in SCHEMES}


def test_the_operators_that_are_left(converted: dict[str, bytes]) -> None:
    # Nothing is left of padding, standardization, batch normalization, noise and dropout.
    expected = [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
        "MAX_POOL_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "FULLY_CONNECTED",
    ]
    assert operators(converted["int8"]) == expected
    assert operators(converted["float32"]) == expected


def test_every_tensor_of_int8_holds_whole_numbers(converted: dict[str, bytes]) -> None:
    graph = schema.read(converted["int8"]).graphs[0]
    constants = {index for op in graph.operators for index in op.inputs[1:]}
    found = [(tensor.index in constants, tensor.type, len(tensor.shape)) for tensor in graph.tensors]
    assert {kind for _, kind, _ in found} == {"INT8", "INT32"}
    # Activations and weights are int8; int32 are the biases and the target of the reshape, which have one axis.
    assert all(kind == "INT8" for constant, kind, _ in found if not constant)
    assert all(kind == "INT8" for constant, kind, axes in found if constant and axes > 1)
    assert sum(kind == "INT32" for _, kind, _ in found) == 6


def test_quantization_of_int8(converted: dict[str, bytes]) -> None:
    graph = unpack(converted["int8"]).subgraphs[0]
    given = graph.tensors[graph.inputs[0]].quantization
    assert (given.scale.tolist(), given.zeroPoint.tolist()) == ([np.float32(1 / 255)], [-128])
    assert schema.read(converted["int8"]).graphs[0].tensors[graph.outputs[0]].type == "INT8"
    for op in graph.operators:
        if len(op.inputs) < 3:
            continue
        values, weights, bias = (graph.tensors[index].quantization for index in op.inputs)
        assert not weights.zeroPoint.any()
        assert not bias.zeroPoint.any()
        # TFLite's int8 specification: bias scale = input scale × weight scale, channel by channel.
        np.testing.assert_allclose(bias.scale, values.scale * weights.scale, rtol=1e-6)


def test_int8_weights_are_the_folded_weights(converted: dict[str, bytes], cnn: keras.Model) -> None:
    """Per channel, symmetric, narrow range: scale = max |w| / 127, value = round(w / scale)."""
    graph = unpack(converted["int8"]).subgraphs[0]
    model = unpack(converted["int8"])
    tensor = graph.tensors[graph.operators[0].inputs[1]]
    stored = model.buffers[tensor.buffer].data.view(np.int8).reshape(tensor.shape)
    convolution, norm = (next(x for x in cnn.layers if isinstance(x, kind)) for kind in KINDS)
    gamma, _, _, variance = norm.get_weights()
    kernel = convolution.get_weights()[0] * gamma / np.sqrt(variance + norm.epsilon) / STD
    by_channel = np.moveaxis(kernel, -1, 0).astype(np.float64)
    scale = np.abs(by_channel).max(axis=(1, 2, 3)) / 127
    np.testing.assert_allclose(tensor.quantization.scale, scale, rtol=1e-5)
    assert (np.abs(stored).max(axis=(1, 2, 3)) == 127).all()
    # A weight on the edge between two steps may fall to either side by float32 rounding.
    assert np.abs(stored - by_channel / scale[:, None, None, None]).max() < 0.5 + 1e-3


KINDS = (keras.layers.Conv2D, keras.layers.BatchNormalization)
STD = 0.3081


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_keeps_its_promise(converted: dict[str, bytes], scheme: str) -> None:
    check_model(converted[scheme], scheme)


@pytest.mark.parametrize(
    ("scheme", "tolerance"), [("float32", 1e-4), ("float16", 0.02), ("dynamic", 0.5), ("int8", 1.0)]
)
def test_logits_stay_close(
    converted: dict[str, bytes],
    cnn: keras.Model,
    pictures: NDArray[np.uint8],
    infer: Infer,
    scheme: str,
    tolerance: float,
) -> None:
    expected = np.asarray(cnn(pictures[..., None].astype(np.float32) / 255))
    raw = infer(converted[scheme], pictures)
    if scheme == "int8":
        graph = unpack(converted[scheme]).subgraphs[0]
        output = graph.tensors[graph.outputs[0]].quantization
        raw = (raw.astype(np.float64) - output.zeroPoint) * output.scale
    assert np.abs(raw - expected).max() < tolerance
    assert np.mean(raw.argmax(1) == expected.argmax(1)) >= 0.97


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_number_of_pictures_gives_the_same_answers(
    converted: dict[str, bytes], pictures: NDArray[np.uint8], infer: Infer, scheme: str
) -> None:
    at_once = infer(converted[scheme], pictures[:7])
    one_by_one = np.concatenate([infer(converted[scheme], pictures[i : i + 1]) for i in range(7)])
    assert at_once.shape == (7, 10)
    # Float kernels add up in another order for another number of pictures.
    np.testing.assert_allclose(at_once, one_by_one, atol=0 if scheme == "int8" else 1e-4)


def test_the_smaller_the_type_the_smaller_the_file(converted: dict[str, bytes]) -> None:
    sizes = {scheme: len(content) for scheme, content in converted.items()}
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_last_tflite_runtime_knows_the_operators(converted: dict[str, bytes], scheme: str) -> None:
    model = unpack(converted[scheme])
    versions = {code.builtinCode: code.version for code in model.operatorCodes}
    assert versions[generated.BuiltinOperator.FULLY_CONNECTED] <= 11
    assert versions[generated.BuiltinOperator.CONV_2D] <= 5
    assert versions[generated.BuiltinOperator.DEPTHWISE_CONV_2D] <= 6


@pytest.mark.parametrize("standardized", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_recipes_become_plain_graphs(name: str, standardized: bool, digits: DataSet) -> None:
    recipe = RECIPES[name]
    if standardized:
        recipe = dataclasses.replace(recipe, mean=0.1307, std=0.3081)
    flatbuffer = to_flatbuffer(inference_function(build(recipe)), "int8", digits.train.images[:50])
    check_model(flatbuffer, "int8", ((1, *recipe.input_shape, 1), (1, recipe.classes)))
    assert set(operators(flatbuffer)) <= {
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "MAX_POOL_2D",
        "MEAN",
        "RESHAPE",
        "FULLY_CONNECTED",
        "ADD",  # of two branches; nothing else is added, see test_the_operators_that_are_left
    }
