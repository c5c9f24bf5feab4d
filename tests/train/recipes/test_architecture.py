"""Shapes, parameters and multiply-accumulates, worked out by hand."""

import json

import pytest
from edge_digits_train.recipes.architecture import (
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalPool,
    Layer,
    Pool,
    Shape,
    SpatialDropout,
    same_padding,
    shapes,
    table,
)
from edge_digits_train.recipes.layer_record import layer_from_dict, layer_to_dict

IMAGE = (28, 28, 1)


@pytest.mark.parametrize(
    ("layer", "name", "shape", "output", "parameters", "macs"),
    [
        # 3*3*1*32 weights + 32 biases; 28*28 outputs of 9 products each, 32 times
        (Conv(32), "conv3x3-32", IMAGE, (28, 28, 32), 320, 225_792),
        (Conv(64), "conv3x3-64", (14, 14, 32), (14, 14, 64), 18_496, 3_612_672),
        # 'same' with stride 2 rounds up, 'valid' drops the rest
        (Conv(8, stride=2), "conv3x3/2-8", (7, 7, 4), (4, 4, 8), 296, 4_608),
        (Conv(8, 5, padding="valid"), "conv5x5-8", IMAGE, (24, 24, 8), 208, 115_200),
        (Conv(8, 5, 2, padding="valid"), "conv5x5/2-8", IMAGE, (12, 12, 8), 208, 28_800),
        (Conv(8, 1), "conv1x1-8", (7, 7, 16), (7, 7, 8), 136, 6_272),
        # batch normalization trains a scale and an offset of each channel
        (Conv(8, use_bias=False, batch_norm=True), "conv3x3-8", IMAGE, (28, 28, 8), 88, 56_448),
        (DepthwiseConv(), "depthwise3x3", (14, 14, 8), (14, 14, 8), 80, 14_112),
        (DepthwiseConv(5, 2, multiplier=2), "depthwise5x5/2-x2", (14, 14, 8), (7, 7, 16), 416, 19_600),
        (Dense(256), "dense-256", (784,), (256,), 200_960, 200_704),
        (Dense(10, use_bias=False), "dense-10", (32,), (10,), 320, 320),
        (Dense(16, use_bias=False, batch_norm=True), "dense-16", (32,), (16,), 544, 512),
        (Pool(), "pool2", (7, 7, 64), (3, 3, 64), 0, 0),
        (Pool(3), "pool3", (7, 7, 64), (2, 2, 64), 0, 0),
        (GlobalPool(), "globalpool", (7, 7, 64), (64,), 0, 0),
        (Flatten(), "flatten", (7, 7, 64), (3136,), 0, 0),
        (Dropout(0.5), "dropout-0.5", (128,), (128,), 0, 0),
        (SpatialDropout(0.25), "dropout2d-0.25", (7, 7, 64), (7, 7, 64), 0, 0),
        (GaussianNoise(0.2), "noise-0.2", (7, 7, 64), (7, 7, 64), 0, 0),
    ],
)
def test_a_layer_by_hand(layer: Layer, name: str, shape: Shape, output: Shape, parameters: int, macs: int) -> None:
    assert layer.name == name
    assert layer.output_shape(shape) == output
    assert layer.parameters(shape) == parameters
    assert layer.macs(shape) == macs
    assert layer_from_dict(json.loads(json.dumps(layer_to_dict(layer)))) == layer


def test_a_table_passes_the_shape_from_layer_to_layer() -> None:
    layers = (Conv(8), Pool(), Flatten(), Dense(10, activation="linear"))
    assert [row.output_shape for row in table(layers)] == [(28, 28, 8), (14, 14, 8), (1568,), (10,)]
    assert [row.parameters for row in table(layers)] == [80, 0, 0, 15_690]
    assert next(iter(shapes(layers))) == IMAGE


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        (28, 3, 1, (1, 1)),
        (28, 5, 1, (2, 2)),
        (28, 2, 1, (0, 1)),
        (28, 3, 2, (0, 1)),
        (27, 3, 2, (1, 1)),
        (28, 1, 2, (0, 0)),
    ],
)
def test_same_padding_by_hand(size: int, kernel: int, stride: int, padding: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == padding


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(0), "channels is 0"),
        (lambda: Conv(8, 0), "kernel is 0"),
        (lambda: Conv(8, stride=-1), "stride is -1"),
        (lambda: Conv(8, padding="full"), "padding is 'full'; allowed are same, valid"),
        (lambda: Conv(8, activation="tanh"), "activation is 'tanh'; allowed are linear, relu, relu6"),
        (lambda: DepthwiseConv(multiplier=0), "channels is 0"),
        (lambda: Pool(0), "size is 0"),
        (lambda: Dense(0), "units is 0"),
        (lambda: Dense(8, activation="softmax"), "activation is 'softmax'"),
        (lambda: Dropout(1.0), "rate is 1.0"),
        (lambda: SpatialDropout(-0.1), "rate is -0.1"),
        (lambda: GaussianNoise(-1.0), "stddev is -1.0"),
        (lambda: Dense(10).output_shape((7, 7, 8)), "dense-10 takes a row of values"),
        (
            lambda: Pool().output_shape((10,)),
            r"the layer takes a map of \(height, width, channels\), not shape \(10,\)",
        ),
        (lambda: SpatialDropout(0.1).output_shape((10,)), "a map of"),
        (lambda: Pool().output_shape((1, 1, 8)), "does not fit into 1 × 1 pixels"),
        (lambda: layer_from_dict({"kind": "lstm"}), "no kind of layer is called 'lstm'; allowed are conv, depthwise"),
        (lambda: layer_from_dict({}), "no kind of layer is called None"),
    ],
)
def test_a_wrong_layer_is_one_clear_error(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
