"""The function that a device computes gives the logits of the Keras model, with less in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from edge_digits_convert import inference, quantization, verification
from edge_digits_runtime.data.datasets import DataSet
from edge_digits_runtime.errors import ModelError, RunError
from keras import layers
from numpy.typing import NDArray

MEAN, STD = 0.1307, 0.3081
INPUT = (28, 28, 1)


def standardize() -> Any:
    return layers.Rescaling(1 / STD, -MEAN / STD)


def pad(before: int, behind: int) -> Any:
    return layers.ZeroPadding2D(((before, behind), (before, behind)))


# The layers in front of a Flatten and ten logits, and the layers that are left of them.
FOLDABLE = {
    "same": ([pad(1, 1), standardize, lambda: layers.Conv2D(4, 3)], ["Conv2D"]),
    "stride": ([pad(0, 1), standardize, lambda: layers.Conv2D(4, 3, strides=2)], ["Conv2D"]),
    "five": ([pad(2, 2), standardize, lambda: layers.Conv2D(4, 5, use_bias=False)], ["Conv2D"]),
    "unpadded": ([standardize, lambda: layers.Conv2D(4, 3)], ["Conv2D"]),
    "odd padding": ([pad(3, 0), standardize, lambda: layers.Conv2D(4, 3)], ["ZeroPadding2D", "Conv2D"]),
    "depthwise": ([pad(1, 1), standardize, lambda: layers.DepthwiseConv2D(3, depth_multiplier=4)], ["DepthwiseConv2D"]),
    "noise": ([standardize, lambda: layers.GaussianNoise(0.1), lambda: layers.Conv2D(4, 3)], ["Conv2D"]),
    "dense": ([standardize, layers.Flatten, lambda: layers.Dense(8)], ["Dense"]),
    "dense after padding": (
        [pad(1, 1), standardize, layers.Flatten, lambda: layers.Dense(8)],
        ["ZeroPadding2D", "Dense"],
    ),
    "plain": ([lambda: layers.Conv2D(4, 3, padding="same")], ["Conv2D"]),
}


def network(front: list[Any]) -> keras.Model:
    """The layers of ``front``, a Flatten and ten logits, with random weights and biases."""
    keras.utils.set_random_seed(1)
    inputs = outputs = keras.Input(INPUT)
    for layer in front:
        outputs = (layer if isinstance(layer, layers.Layer) else layer())(outputs)
    if len(outputs.shape) > 2:
        outputs = layers.Flatten()(outputs)
    model = keras.Model(inputs, layers.Dense(10)(outputs))
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


def logits(model: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(model(images[..., None].astype(np.float32) / np.float32(255)))


@pytest.mark.parametrize("case", FOLDABLE)
def test_folding_changes_no_logit(case: str, pictures: NDArray[np.uint8]) -> None:
    front, left = FOLDABLE[case]
    model = network(front)
    lean = inference.inference_model(model)
    assert [type(layer).__name__ for layer in lean.layers if layer.weights or "Pad" in type(layer).__name__] == [
        *left,
        "Dense",
    ]
    np.testing.assert_allclose(logits(lean, pictures), logits(model, pictures), rtol=0, atol=1e-5)


def test_folding_by_hand() -> None:
    # One 1×1 convolution: w = 2, b = 3 on (x - 0.5) / 0.25 is 8 x - 1.
    inputs = keras.Input(INPUT)
    convolution = layers.Conv2D(1, 1)
    whole = convolution(layers.Rescaling(4, -2)(inputs))
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(whole)))
    convolution.set_weights([np.full((1, 1, 1, 1), 2), np.array([3])])
    kernel, bias = inference.inference_model(model).layers[1].get_weights()
    assert (kernel.item(), bias.item()) == (8, -1)


def test_the_trained_network_keeps_its_logits(cnn: keras.Model, digits: DataSet, pictures: NDArray[np.uint8]) -> None:
    expected = logits(cnn, pictures)
    assert np.mean(expected.argmax(1) == digits.test.labels[:100]) > 0.8  # it has learned something
    infer = inference.inference_function(cnn)
    np.testing.assert_allclose(logits(infer, pictures), expected, rtol=0, atol=1e-5)
    inference.check_same(cnn, infer, pictures)


def test_layers_that_only_training_needs_are_left_out(cnn: keras.Model) -> None:
    kinds = {type(layer).__name__ for layer in inference.inference_model(cnn).layers}
    assert kinds.isdisjoint({"GaussianNoise", "SpatialDropout2D", "Dropout", "Rescaling", "ZeroPadding2D", "Flatten"})


def test_a_sequential_model_is_converted_like_any_other(pictures: NDArray[np.uint8]) -> None:
    model = keras.Sequential([keras.Input(INPUT), standardize(), layers.Flatten(), layers.Dense(10)])
    np.testing.assert_allclose(
        logits(inference.inference_function(model), pictures), logits(model, pictures), atol=1e-5
    )


@pytest.mark.parametrize(
    "front",
    [
        [standardize, lambda: layers.Conv2D(4, 3, padding="same")],
        [standardize, pad(1, 1), lambda: layers.Conv2D(4, 3)],
        [standardize, layers.MaxPooling2D, lambda: layers.Conv2D(4, 3)],
        [lambda: layers.Conv2D(4, 3), standardize, lambda: layers.Conv2D(4, 3)],
        [standardize, standardize, lambda: layers.Conv2D(4, 3)],
    ],
)
def test_a_standardization_that_cannot_be_folded_exactly_stays(
    front: list[Any], pictures: NDArray[np.uint8], infer: Callable[..., NDArray[np.float64]]
) -> None:
    model = network(front)
    lean = inference.inference_model(model)
    kept = [layer for layer in lean.layers if isinstance(layer, layers.Rescaling)]
    assert len(kept) == sum(make is standardize for make in front)
    np.testing.assert_allclose(logits(lean, pictures), logits(model, pictures), rtol=0, atol=1e-5)
    flatbuffer = quantization.to_flatbuffer(inference.inference_function(model), "int8", _full(pictures))
    verification.check_model(flatbuffer, "int8")
    same = infer(flatbuffer, pictures).argmax(axis=1) == logits(model, pictures).argmax(axis=1)
    assert same.mean() > 0.9


def _full(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures that have black and white."""
    full = pictures.copy()
    full[0, 0, :2] = 0, 255
    return full


def test_scaling_without_an_offset_is_folded_whatever_pads(pictures: NDArray[np.uint8]) -> None:
    model = network([lambda: layers.Rescaling(4.0), lambda: layers.Conv2D(4, 3, padding="same")])
    lean = inference.inference_model(model)
    assert not any(isinstance(layer, layers.Rescaling) for layer in lean.layers)
    np.testing.assert_allclose(logits(lean, pictures), logits(model, pictures), rtol=0, atol=1e-4)


def test_a_scaled_input_that_goes_two_ways_is_not_folded_into_one(pictures: NDArray[np.uint8]) -> None:
    inputs = keras.Input(INPUT)
    scaled = layers.Rescaling(4.0)(inputs)
    both = layers.Add()([layers.Conv2D(4, 1)(scaled), layers.Conv2D(4, 1)(scaled)])
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(both)))
    lean = inference.inference_model(model)
    np.testing.assert_allclose(logits(lean, pictures), logits(model, pictures), rtol=0, atol=1e-4)
    raw = layers.Add()([layers.Conv2D(4, 1)(layers.Rescaling(4.0)(inputs)), layers.Conv2D(4, 1)(inputs)])
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(raw)))
    np.testing.assert_allclose(
        logits(inference.inference_model(model), pictures), logits(model, pictures), rtol=0, atol=1e-4
    )


def test_a_function_that_computes_something_else_is_noticed(cnn: keras.Model, pictures: NDArray[np.uint8]) -> None:
    with pytest.raises(ModelError, match=r"logits differ by [\d.]+ once"):
        inference.check_same(cnn, lambda values: cnn(1 - values), pictures)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [((28, 28, 1), 1), ((28, 28, 1), 129), ((65, 32, 1), 10), ((15, 32, 1), 10), ((28, 28, 3), 10), ((784,), 10)],
)
def test_a_model_of_another_kind_is_refused(tmp_path: Path, inputs: tuple[int, ...], outputs: int) -> None:
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input(inputs), layers.Flatten(), layers.Dense(outputs)]).save(path)
    with pytest.raises(RunError, match=r"model\.keras: a model of shapes .* has \(None, H, W, 1\) of 16 to 64 pixels"):
        inference.load_model(path)


def test_a_file_that_keras_cannot_load_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\x03\x04 and so on\n" * 20)
    with pytest.raises(RunError, match=r"model\.keras: Keras [\d.]+ cannot load it") as caught:
        inference.load_model(path)
    assert "\n" not in str(caught.value)


def test_another_backend_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RunError, match="needs Keras on TensorFlow, but KERAS_BACKEND is jax: unset it"):
        inference.load_model(tmp_path / "model.keras")
