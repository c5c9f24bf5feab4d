"""Small networks for the conversion tests, trained once for the whole session."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_train.data import mnist
from keras import layers
from numpy.typing import NDArray

MEAN, STD = 0.1307, 0.3081


@pytest.fixture(scope="session")
def digits() -> DataSet:
    """2,500 training and 500 test pictures of MNIST."""
    full = mnist.load()
    return DataSet("MNIST", *(Split(s.images[:n], s.labels[:n]) for s, n in ((full.train, 2500), (full.test, 500))))


@pytest.fixture(scope="session")
def pictures(digits: DataSet) -> NDArray[np.uint8]:
    """100 pictures, uint8 of shape (100, 28, 28)."""
    return digits.test.images[:100]


@pytest.fixture(scope="session")
def fit(digits: DataSet) -> Callable[..., keras.Model]:
    """Train a model a little, so that its activations and the moments of its normalization are real ones."""

    def train(model: keras.Model, epochs: int = 2) -> keras.Model:
        model.compile(keras.optimizers.Adam(0.005), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        pixels = digits.train.images[..., None].astype(np.float32) / 255
        model.fit(pixels, digits.train.labels, batch_size=50, epochs=epochs, shuffle=False, verbose=0)
        return model

    return train


@pytest.fixture(scope="session")
def cnn(fit: Callable[..., keras.Model]) -> keras.Model:
    """A standardized input, every kind of convolution with batch normalization, both kinds of dropout and noise."""
    keras.utils.set_random_seed(3)
    stack: list[Any] = [
        keras.Input((28, 28, 1)),
        layers.ZeroPadding2D(((0, 1), (0, 1))),
        layers.Rescaling(1 / STD, -MEAN / STD),
        layers.Conv2D(8, 3, strides=2, padding="valid", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.GaussianNoise(0.1),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu6"),
        layers.SpatialDropout2D(0.1),
        layers.Conv2D(16, 1, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(16, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.Dropout(0.2),
        layers.Dense(10),
    ]
    outputs = stack[0]
    for layer in stack[1:]:
        outputs = layer(outputs)
    return fit(keras.Model(stack[0], outputs))


@pytest.fixture(scope="session")
def infer() -> Callable[..., NDArray[np.float64]]:
    """Run a flatbuffer on uint8 pictures (n, 28, 28), all in one invocation; gives its raw output."""

    def run(flatbuffer: bytes, images: NDArray[np.uint8]) -> NDArray[Any]:
        interpreter = Interpreter(model_content=flatbuffer)
        given = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(given["index"], (len(images), 28, 28, 1))
        interpreter.allocate_tensors()
        if given["dtype"] == np.int8:
            values = (images ^ 0x80).view(np.int8)
        else:
            values = images.astype(np.float32) / np.float32(255)
        interpreter.set_tensor(given["index"], values[..., None])
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run
