"""What each layer loses in int8."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from edge_digits_convert import inspection
from edge_digits_convert.inspection import layer_name
from edge_digits_convert.trained_run import TrainedRun
from edge_digits_runtime.records.layers import LayerRecord
from keras import layers
from numpy.typing import NDArray


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("conv2d_1/Conv2D", "conv2d"),
        ("re_lu_1/Relu;conv2d_2_1/BiasAdd;batch_normalization_1/add", "conv2d_2"),
        ("conv2d_2/Conv2D", "conv2d"),
        ("conv2d_2_3/Conv2D", "conv2d_2"),
        ("max_pooling2d/MaxPool2d", "max_pooling2d"),
        ("max_pooling2d_1/MaxPool2d", "max_pooling2d"),
        ("PartitionedCall:0", "dense"),
        ("Reshape", "Reshape"),
    ],
)
def test_a_tensor_belongs_to_a_layer(tensor: str, layer: str) -> None:
    names = ["input", "conv2d", "batch_normalization", "re_lu", "max_pooling2d", "conv2d_2", "dense"]
    assert layer_name(tensor, names, ["conv2d", "conv2d_2", "dense"]) == layer


def test_the_layer_that_loses_is_found(
    fit: Callable[..., keras.Model], pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    stack = [
        layers.Conv2D(8, 3, strides=2, activation="relu", name="first"),
        layers.Conv2D(8, 3, activation="relu", name="wide"),
        layers.Flatten(),
        layers.Dense(10, name="last"),
    ]
    model = fit(keras.Sequential([keras.Input((28, 28, 1)), *stack]), epochs=1)
    # One channel of the second convolution is 300 times as large: in its range the others are a few steps.
    kernel, bias = model.get_layer("wide").get_weights()
    kernel[..., 0] *= 300
    model.get_layer("wide").set_weights([kernel, bias])
    dense, last = model.get_layer("last").get_weights()
    dense.reshape(-1, 8, 10)[:, 0] /= 300
    model.get_layer("last").set_weights([dense, last])
    model.save(tmp_path / "model.keras")
    run = TrainedRun(tmp_path, record=None)  # type: ignore[arg-type]
    full = pictures.copy()
    full[0, 0, :2] = 0, 255
    errors = inspection.inspect(run, full, pictures[:20])
    assert [(each.layer, each.operator) for each in errors if each.operator != "RESHAPE"] == [
        ("first", "CONV_2D"),
        ("wide", "CONV_2D"),
        ("last", "FULLY_CONNECTED"),
    ]
    by_name = {each.layer: each for each in errors}
    # Rounding alone is 12 ** -0.5 of a step.
    assert 0.2 < by_name["first"].steps < 0.6
    assert 0 < by_name["first"].relative < 0.02
    record = LayerRecord("net", "0" * 64, 20, errors)
    assert record.worst is by_name["last"]
    lines = inspection.table(record)
    assert [line.endswith("<- loses most") for line in lines[1:]] == [each is record.worst for each in errors]
