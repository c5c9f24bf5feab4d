"""The C gives the logits of TensorFlow Lite Micro, byte for byte; so does the arithmetic in numpy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_convert.microcontroller import reference
from edge_digits_convert.microcontroller.reading import read_network
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_train.data import mnist
from numpy.typing import NDArray

Logits = Callable[[NDArray[np.uint8]], NDArray[np.int8]]

COUNT = 100
"""Pictures a model; all 10,000 are compared by benchmarks/accuracy/microcontroller.py."""


@pytest.mark.parametrize(("name", "path"), registry.paths().items(), ids=registry.paths())
def test_the_shipped_models(
    name: str, path: Path, compiled: Callable[[Path], Logits], tflite_micro: Callable[..., NDArray[np.int8]]
) -> None:
    pictures = mnist.load().test.images[:COUNT]
    wanted = tflite_micro(path, pictures)
    np.testing.assert_array_equal(reference.logits(read_network(read_model_file(path), name), pictures), wanted)
    np.testing.assert_array_equal(compiled(path)(pictures), wanted)


@pytest.mark.parametrize("model", ["every_layer", "one_scale"])
def test_every_operator(
    model: str,
    compiled: Callable[[Path], Logits],
    tflite_micro: Callable[..., NDArray[np.int8]],
    request: pytest.FixtureRequest,
) -> None:
    path = request.getfixturevalue(model)
    network = read_network(read_model_file(path), model)
    rng = np.random.default_rng(2)
    pictures = rng.integers(0, 256, (COUNT, network.height, network.width), np.uint8)
    # Flat and dark pictures lead to small sums, and white ones to saturation.
    pictures[:50] //= rng.integers(1, 200, (50, 1, 1), np.uint8)
    pictures[50:55] = 255
    wanted = tflite_micro(path, pictures)
    if model == "every_layer":
        kinds = {layer.kind for layer in network.layers}
        assert kinds == {"convolution", "depthwise", "dense", "max_pool", "average_pool", "mean"}
    assert len(np.unique(wanted, axis=0)) > COUNT // 2
    np.testing.assert_array_equal(reference.logits(network, pictures), wanted)
    np.testing.assert_array_equal(compiled(path)(pictures), wanted)
