"""Layers that our recipes do not have: converted to int8, or refused in one line that names them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from edge_digits_convert.inference import check_same, inference_function
from edge_digits_convert.quantization import to_flatbuffer
from edge_digits_convert.verification import check_model
from edge_digits_runtime.errors import ModelError
from keras import layers
from numpy.typing import NDArray


def network(*stack: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((28, 28, 1)), *stack, layers.Flatten(), layers.Dense(10)])


def attention() -> keras.Model:
    inputs = keras.Input((28, 28, 1))
    rows = layers.Reshape((28, 28))(inputs)
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(layers.MultiHeadAttention(1, 4)(rows, rows))))


def squeeze() -> keras.Model:
    inputs = keras.Input((28, 28, 1))
    maps = layers.Conv2D(4, 3, strides=2, activation="silu")(inputs)
    weights = layers.GlobalAveragePooling2D(keepdims=True)(maps)
    weights = layers.Conv2D(4, 1, activation="sigmoid")(weights)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalMaxPooling2D()(layers.Multiply()([maps, weights]))))


def conv(activation: str) -> list[Any]:
    return [layers.Conv2D(4, 3, strides=4), layers.Activation(activation)]


GOOD: dict[str, Callable[[], keras.Model]] = {
    "attention": attention,
    "squeeze and excite": squeeze,
    "GELU": lambda: network(*conv("gelu")),
    "hard swish": lambda: network(*conv("hard_silu")),
    "PReLU": lambda: network(*conv("linear"), layers.PReLU()),
    "batch normalization behind ReLU": lambda: network(*conv("relu"), layers.BatchNormalization()),
    "resizing": lambda: network(layers.Resizing(16, 16), layers.Conv2D(4, 3)),
    "rows as a sequence": lambda: network(layers.Reshape((28, 28)), layers.Conv1D(4, 3), layers.AveragePooling1D(2)),
    "changes of pictures in training": lambda: network(
        layers.RandomRotation(0.1), layers.RandomZoom(0.1), *conv("tanh")
    ),
    "groups and dilation": lambda: network(
        layers.Conv2D(4, 3, strides=2), layers.Conv2D(4, 3, groups=2), layers.Conv2D(4, 3, dilation_rate=2)
    ),
}


def _full(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures that have black and white."""
    full = pictures.copy()
    full[0, 0, :2] = 0, 255
    return full


@pytest.mark.parametrize("case", GOOD)
def test_a_layer_that_int8_has(
    case: str, pictures: NDArray[np.uint8], infer: Callable[..., NDArray[np.float64]]
) -> None:
    model = GOOD[case]()
    function = inference_function(model)
    check_same(model, function, pictures)
    flatbuffer = to_flatbuffer(function, "int8", _full(pictures))
    check_model(flatbuffer, "int8")
    expected = np.asarray(model(pictures[..., None] / np.float32(255), training=False))
    answers = infer(flatbuffer, pictures).astype(np.float64)
    # Untrained logits are near to each other, so the numbers are compared and not the answers.
    correlation = np.corrcoef(answers.ravel(), expected.ravel())[0, 1]
    assert correlation > 0.97


BAD: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "ELU": (lambda: network(*conv("elu")), r"the operator ELU of activation\w*/\w+ has no int8 form, so it would"),
    "layer normalization": (
        lambda: network(*conv("relu"), layers.LayerNormalization()),
        r"the operator \w+ of layer_normalization\w*/\w+.* has no int8 form",
    ),
    "LSTM": (
        lambda: network(layers.Reshape((28, 28)), layers.LSTM(4)),
        "cannot make int8 of the network: tf.TensorListReserve .*; a recurrent layer is a loop, take a convolution",
    ),
    "upsampling": (
        lambda: network(layers.UpSampling2D(), *conv("relu")),
        "holds the operator SHAPE, but the batch size",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_layer_that_int8_does_not_have(case: str, pictures: NDArray[np.uint8]) -> None:
    build, message = BAD[case]
    with pytest.raises(ModelError, match=message) as caught:
        check_model(to_flatbuffer(inference_function(build()), "int8", _full(pictures)), "int8")
    assert len(str(caught.value).splitlines()) == 1
