"""Where activations lie: nothing is overwritten before it was read, and the buffer is small."""

from pathlib import Path

import numpy as np
import pytest
from edge_digits_convert.microcontroller.layers import (
    AnyLayer,
    Convolution,
    Dense,
    IntegerNetwork,
    MaxPool,
    Mean,
    Range,
    Scaling,
    Shape,
    Window,
)
from edge_digits_convert.microcontroller.plan import make_plan, overlap, patch_size
from edge_digits_convert.microcontroller.reading import read_network
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file

NOTHING = Scaling(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))


def window_layer(size: Shape, channels: int, window: Window) -> Convolution:
    """A convolution of any window, whose output is as large as that allows."""
    rows, columns = (window.height - 1) * window.dilation_y + 1, (window.width - 1) * window.dilation_x + 1
    height = (size.height + 2 * window.above - rows) // window.stride_y + 1
    width = (size.width + 2 * window.left - columns) // window.stride_x + 1
    weights = np.zeros((channels, window.height, window.width, size.channels), np.int8)
    return Convolution("c", size, Shape(height, width, channels), Range(0), window, 0, weights, NOTHING)


def reads(layer: AnyLayer, y: int, x: int) -> set[int]:
    """Return the bytes of its input that an output pixel needs, from the definition of a window."""
    if isinstance(layer, Dense | Mean):
        return set(range(layer.input.size))
    window, size = layer.window, layer.input
    found: set[int] = set()
    for row in range(window.height):
        for column in range(window.width):
            i = y * window.stride_y - window.above + row * window.dilation_y
            j = x * window.stride_x - window.left + column * window.dilation_x
            if 0 <= i < size.height and 0 <= j < size.width:
                start = (i * size.width + j) * size.channels
                found.update(range(start, start + size.channels))
    return found


def check_layer(layer: AnyLayer, source: int | None, result: int, patch: int | None) -> None:
    """Go through the pixels of a layer and see that what each needs is still there."""
    size = layer.output
    held = {source + at: at for at in range(layer.input.size)} if source is not None else {}
    if patch is not None:
        scratch = set(range(patch, patch + patch_size(layer)))
        assert not scratch & set(held)
        assert not scratch & set(range(result, result + size.size))
    if source is None:
        return
    for y in range(size.height):
        for x in range(size.width):
            # Dense layers and means read everything while they write.
            for at in reads(layer, y, x):
                assert held.get(source + at) == at, (layer.name, y, x)
            start = result + (y * size.width + x) * size.channels
            if isinstance(layer, Dense | Mean):
                assert not set(range(start, start + size.size)) & set(held)
                continue
            for at in range(start, start + size.channels):
                # Written while this pixel may still read, so not over what it needs.
                assert held.get(at) not in reads(layer, y, x)
                held.pop(at, None)


def check_plan(network: IntegerNetwork) -> int:
    plan = make_plan(network)
    for number, layer in enumerate(network.layers):
        check_layer(layer, plan.results[number - 1] if number else None, plan.results[number], plan.patches[number])
        ends = [plan.results[number] + layer.output.size, (plan.patches[number] or 0) + patch_size(layer)]
        assert min(plan.results) >= 0
        assert max(ends) <= plan.size
        assert (plan.patches[number] is None) == (patch_size(layer) == 0)
        assert plan.results[number] % 4 == 0
        assert (plan.patches[number] or 0) % 4 == 0
    return plan.size


@pytest.mark.parametrize(
    ("name", "largest"), [("digits-xs", 3_300), ("digits-s", 6_400), ("digits-m", 6_500), ("digits-l", 13_000)]
)
def test_the_shipped_models(name: str, largest: int) -> None:
    # TensorFlow Lite Micro takes 7.8, 12.0, 15.2 and 24.6 KB for the same.
    assert check_plan(read_network(read_model_file(registry.paths()[name]), name)) <= largest


def test_every_operator(every_layer: Path) -> None:
    check_plan(read_network(read_model_file(every_layer), "every"))


def test_random_networks() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        size = Shape(*rng.integers(5, 12, 2).tolist(), int(rng.integers(1, 5)))
        height, width = size.height, size.width
        layers: list[AnyLayer] = []
        for number in range(4):
            sides = rng.integers(1, 4, 2).tolist()
            steps = rng.integers(1, 4, 4).tolist()
            window = Window(*sides, *steps, *rng.integers(0, 3, 2).tolist())
            if min(size.height + 2 * window.above, size.width + 2 * window.left) < 10:
                break
            layer: AnyLayer = window_layer(size, int(rng.integers(1, 9)), window)
            if number == 2:
                output = Shape(layer.output.height, layer.output.width, size.channels)
                layer = MaxPool("p", size, output, Range(0), window)
            layers.append(layer)
            size = layer.output
        weights = np.zeros((3, size.size), np.int8)
        layers.append(Dense("d", Shape(1, 1, size.size), Shape(1, 1, 3), Range(0), 0, weights, NOTHING))
        check_plan(IntegerNetwork(height, width, tuple(layers), 0.1))


def test_rows_are_overwritten_when_they_were_read() -> None:
    # 3×3 with padding, as many channels as before: a row and a pixel above, and the pixel that is written.
    same = window_layer(Shape(10, 10, 4), 4, Window(3, 3, above=1, left=1))
    assert overlap(same) == (10 + 1 + 1) * 4
    # With steps of 2 and twice the channels, input is used up twice as fast as output is written.
    assert overlap(window_layer(Shape(28, 28, 4), 8, Window(2, 2, 2, 2))) == 8
    # A pool of steps of 1 and window 1 could work in place.
    assert overlap(window_layer(Shape(5, 5, 1), 1, Window(1, 1))) == 1
