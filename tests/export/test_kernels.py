"""The kernels as C, on tables that were worked out by hand."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_digits_convert.microcontroller.c_text import template

KERNELS = ("requantize", "dot", "convolution", "depthwise", "max_pool", "average_pool", "mean")
HALF = 1 << 30
"""A multiplier of 0.5."""
PICTURE = [1, 2, 3, 4, 5, 6, 7, 8, 9]
"""Three rows of three pixels."""
WIDE = (0, 0, 255)
"""A range: 0 stands for 0, and every byte is allowed."""


class Channel(ctypes.Structure):
    _fields_ = (("bias", ctypes.c_int32), ("multiplier", ctypes.c_int32), ("shift", ctypes.c_int32))


class Range(ctypes.Structure):
    _fields_ = (("zero", ctypes.c_uint8), ("low", ctypes.c_uint8), ("high", ctypes.c_uint8))


class Shape(ctypes.Structure):
    _fields_ = (("height", ctypes.c_uint16), ("width", ctypes.c_uint16), ("channels", ctypes.c_uint16))


class Window(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint8)
        for name in ("height", "width", "stride_y", "stride_x", "dilation_y", "dilation_x", "above", "left")
    )


class Weighted(ctypes.Structure):
    """``Convolution`` and ``Depthwise``."""

    _fields_ = (
        ("input", Shape),
        ("output", Shape),
        ("window", Window),
        ("padding", ctypes.c_uint8),
        ("range", Range),
        ("weights", ctypes.POINTER(ctypes.c_int8)),
        ("channels", ctypes.POINTER(Channel)),
    )


class Pool(ctypes.Structure):
    _fields_ = (("input", Shape), ("output", Shape), ("window", Window), ("range", Range))


class Mean(ctypes.Structure):
    _fields_ = (("input", Shape), ("padding", ctypes.c_uint8), ("range", Range), ("scale", Channel))


@pytest.fixture(scope="module", params=[(), ("-DEDGE_DIGITS_NO_LONG_MULTIPLICATION",)], ids=["long", "pieces"])
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cc: Callable[..., None]) -> Any:
    """All kernels in one library: with a multiplication to 64 bits, and in pieces as for a Cortex-M0+."""
    folder = tmp_path_factory.mktemp("kernels")
    text = "#include <stdint.h>\n#include <string.h>\n" + template("kernels/types.h")
    (folder / "kernels.c").write_text(text + "".join(template(f"kernels/{name}.c") for name in KERNELS))
    # Without the word static they can be called from outside.
    cc("-std=c99", "-O2", "-Dstatic=", "-shared", "-fPIC", *request.param, "-o", folder / "k.so", folder / "kernels.c")
    return ctypes.CDLL(str(folder / "k.so"))


def array(kind: Any, values: list[Any]) -> Any:
    return (kind * len(values))(*values)


@pytest.mark.parametrize(
    ("total", "multiplier", "shift", "expected"),
    [
        (6, HALF, 0, 3),
        (5, HALF, 0, 3),  # 2.5 goes up
        (-5, HALF, 0, -2),  # -2.5 goes up, too
        (-6, HALF, 0, -3),
        (20, HALF, 2, 3),  # 10 / 4 = 2.5 goes away from zero
        (-20, HALF, 2, -3),  # -2.5 as well
        (-19, HALF, 2, -2),  # -9.5 becomes -9, and -9 / 4 = -2.25
        (5, HALF, 1, 2),  # rounded twice: 2.5 becomes 3, and 1.5 becomes 2; once it would be 1
        (3, HALF, 1, 1),  # 1.5 becomes 2, and 1; once it would be 1, too
        (1 << 29, (1 << 31) - 1, 0, 1 << 29),
        (-(1 << 29), (1 << 31) - 1, 0, -(1 << 29)),
        ((1 << 30) - 1, HALF, 31, 0),
        ((1 << 30) - 1, (1 << 31) - 1, 31, 0),  # 2^30 - 1 is just below a half
        (0, HALF, 3, 0),
        (12345, 0, 0, 0),
    ],
)
def test_rescaling_rounds_twice(kernels: Any, total: int, multiplier: int, shift: int, expected: int) -> None:
    assert kernels.rescale(total, multiplier, shift) == expected


def test_both_ways_to_multiply_agree_with_whole_numbers(kernels: Any) -> None:
    rng = np.random.default_rng(0)
    sums = np.concatenate([rng.integers(-(2**30) + 1, 2**30, 2000), rng.integers(-300, 300, 2000)])
    multipliers = np.concatenate([rng.integers(2**30, 2**31, 3000), rng.integers(1, 2**12, 1000) << 19])
    shifts = rng.integers(0, 32, 4000)
    for total, multiplier, shift in zip(sums.tolist(), multipliers.tolist(), shifts.tolist(), strict=True):
        product = (total * multiplier + 2**30) >> 31
        size = (abs(product) + (2**shift >> 1)) >> shift
        assert kernels.rescale(total, multiplier, shift) == (-size if product < 0 else size), (total, multiplier, shift)


@pytest.mark.parametrize(
    ("total", "bias", "limits", "expected"),
    [
        (10, 0, WIDE, 5),
        (10, 4, WIDE, 7),
        (1000, 0, WIDE, 255),  # saturates
        (-10, 0, WIDE, 0),
        (-10, 0, (128, 0, 255), 123),
        (-1000, 0, (128, 0, 255), 0),
        (-10, 0, (128, 128, 255), 128),  # ReLU
        (10, 0, (128, 128, 255), 133),
        (1000, 0, (128, 128, 140), 140),  # ReLU6
        (-10, 0, (100, 110, 255), 110),  # the least result lies above 0
        (10, 0, (100, 110, 255), 110),
    ],
)
def test_requantization(kernels: Any, total: int, bias: int, limits: tuple[int, int, int], expected: int) -> None:
    kernels.dense.restype = None
    channel, spread = Channel(bias, HALF, 0), Range(*limits)
    # A dense layer of one input and one output is its requantization.
    weights, output = array(ctypes.c_int8, [total // 10]), array(ctypes.c_uint8, [77, 99])
    kernels.dense(array(ctypes.c_uint8, [10]), weights, 1, ctypes.byref(channel), 1, ctypes.byref(spread), output)
    assert list(output) == [expected, 99]


def test_a_dense_layer_takes_any_number_of_rows(kernels: Any) -> None:
    values, count = [1, 2, 3, 4, 5], 5
    rows = [
        [1, 0, 0, 0, 0],
        [0, 2, 0, 0, 0],
        [2, 2, 2, 2, 2],
        [0, 0, 0, 0, 4],
        [-2, 0, 0, 0, 2],
        [0, 0, 0, 2, 0],
        [2] * 5,
    ]
    for number in range(1, len(rows) + 1):
        channels = array(Channel, [Channel(0, HALF, 0)] * number)
        output = array(ctypes.c_uint8, [77] * (number + 1))
        weights = array(ctypes.c_int8, [weight for row in rows[:number] for weight in row])
        spread = Range(*WIDE)
        kernels.dense(array(ctypes.c_uint8, values), weights, count, channels, number, ctypes.byref(spread), output)
        assert list(output) == [*[1, 2, 15, 10, 4, 4, 15][:number], 77]


# The window goes over 1 2 3 / 4 5 6 / 7 8 9; weights of 2 and a multiplier of 0.5 add up what it covers.
@pytest.mark.parametrize(
    ("window", "output", "padding", "expected"),
    [
        ((3, 3, 1, 1, 1, 1, 0, 0), (1, 1), 0, [45]),
        ((3, 3, 1, 1, 1, 1, 1, 1), (3, 3), 0, [12, 21, 16, 27, 45, 33, 24, 39, 28]),
        # Padding of 1: the corners have five values of it, the sides three.
        ((3, 3, 1, 1, 1, 1, 1, 1), (3, 3), 1, [17, 24, 21, 30, 45, 36, 29, 42, 33]),
        ((2, 2, 2, 2, 1, 1, 0, 0), (2, 2), 0, [12, 9, 15, 9]),
        ((2, 2, 1, 1, 2, 2, 0, 0), (1, 1), 0, [20]),  # the corners
        ((1, 3, 1, 1, 1, 2, 0, 2), (3, 3), 0, [4, 2, 4, 10, 5, 10, 16, 8, 16]),
        ((3, 1, 2, 1, 2, 1, 2, 0), (2, 3), 0, [8, 10, 12, 8, 10, 12]),
    ],
)
@pytest.mark.parametrize("kind", ["convolution", "depthwise"])
def test_windows(
    kernels: Any, kind: str, window: tuple[int, ...], output: tuple[int, int], padding: int, expected: list[int]
) -> None:
    taps = window[0] * window[1]
    # A depthwise convolution takes the padding off each value; its bias gives it back here.
    bias = 0 if kind == "convolution" else 2 * padding * taps
    layer = Weighted(
        Shape(3, 3, 1),
        Shape(*output, 1),
        Window(*window),
        padding,
        Range(*WIDE),
        array(ctypes.c_int8, [2] * taps),
        array(Channel, [Channel(bias, HALF, 0)]),
    )
    pixels = array(ctypes.c_uint8, PICTURE)
    result = array(ctypes.c_uint8, [77] * (len(expected) + 1))
    patch = array(ctypes.c_uint8, [0] * taps)
    if kind == "convolution":
        kernels.convolution(pixels, ctypes.byref(layer), patch, result)
    else:
        kernels.depthwise(pixels, ctypes.byref(layer), result)
    assert list(result) == [*expected, 77]


def test_channels_of_a_convolution(kernels: Any) -> None:
    # Two pixels of two channels, and two outputs: the first channel, and the difference of both.
    layer = Weighted(
        Shape(1, 2, 2),
        Shape(1, 2, 2),
        Window(1, 1, 1, 1, 1, 1, 0, 0),
        0,
        Range(100, 0, 255),
        array(ctypes.c_int8, [2, 0, 2, -2]),
        array(Channel, [Channel(0, HALF, 0), Channel(0, HALF, 0)]),
    )
    result = array(ctypes.c_uint8, [0] * 4)
    kernels.convolution(
        array(ctypes.c_uint8, [5, 7, 20, 8]), ctypes.byref(layer), array(ctypes.c_uint8, [0, 0]), result
    )
    assert list(result) == [105, 98, 120, 112]


def test_several_outputs_of_one_channel(kernels: Any) -> None:
    layer = Weighted(
        Shape(1, 1, 2),
        Shape(1, 1, 4),
        Window(1, 1, 1, 1, 1, 1, 0, 0),
        0,
        Range(*WIDE),
        array(ctypes.c_int8, [2, 4, 6, 8]),
        array(Channel, [Channel(0, HALF, 0)] * 4),
    )
    result = array(ctypes.c_uint8, [0] * 4)
    kernels.depthwise(array(ctypes.c_uint8, [3, 10]), ctypes.byref(layer), result)
    assert list(result) == [3, 6, 30, 40]


@pytest.mark.parametrize(
    ("kind", "window", "output", "limits", "expected"),
    [
        ("max_pool", (2, 2, 1, 1, 1, 1, 0, 0), (2, 2), WIDE, [5, 6, 8, 9]),
        ("max_pool", (2, 2, 2, 2, 1, 1, 0, 0), (2, 2), WIDE, [5, 6, 8, 9]),
        ("max_pool", (3, 3, 2, 2, 1, 1, 1, 1), (2, 2), (0, 0, 8), [5, 6, 8, 8]),
        # Of -127, -126, -124, -123 the mean is -125, and so on.
        ("average_pool", (2, 2, 1, 1, 1, 1, 0, 0), (2, 2), WIDE, [3, 4, 6, 7]),
        # Means of -126.5, -125, -123.5 and so on: halves go away from zero. Padding does not count.
        ("average_pool", (1, 2, 1, 2, 1, 1, 0, 0), (3, 2), WIDE, [1, 3, 4, 6, 7, 9]),
    ],
)
def test_pools(
    kernels: Any,
    kind: str,
    window: tuple[int, ...],
    output: tuple[int, int],
    limits: tuple[int, int, int],
    expected: list[int],
) -> None:
    layer = Pool(Shape(3, 3, 1), Shape(*output, 1), Window(*window), Range(*limits))
    result = array(ctypes.c_uint8, [77] * (len(expected) + 1))
    kernels[kind](array(ctypes.c_uint8, PICTURE), ctypes.byref(layer), result)
    assert list(result) == [*expected, 77]


def test_a_mean(kernels: Any) -> None:
    # Four pixels of two channels: sums of 20 and 60 above a zero of 5 each, a quarter of which is 0 + 100 and 10 + 100.
    layer = Mean(Shape(2, 2, 2), 5, Range(100, 0, 255), Channel(0, HALF, 1))
    result = array(ctypes.c_uint8, [0, 0, 77])
    kernels.mean(array(ctypes.c_uint8, [5, 10, 5, 20, 5, 10, 5, 20]), ctypes.byref(layer), result)
    assert list(result) == [100, 110, 77]


def test_every_kernel_is_tested() -> None:
    folder = Path(__file__).parents[2] / "convert/edge_digits_convert/microcontroller/templates/kernels"
    assert {path.stem for path in folder.glob("*.c")} == {*KERNELS, "classify", "probabilities"}
