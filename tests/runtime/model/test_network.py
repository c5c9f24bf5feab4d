"""Pixels into tensors of every kind, one picture or many."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model import backends
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.network import BATCH, Network, Tensor, _encoder, _input_and_output, _picture_shape
from numpy.typing import NDArray

PIXELS = (0, 1, 127, 128, 254, 255)
UNIT = 1 / 255


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "stored"),
    [
        # The pixel with its top bit flipped.
        (np.int8, UNIT, -128, (-128, -127, -1, 0, 126, 127)),
        (np.uint8, UNIT, 0, (0, 1, 127, 128, 254, 255)),
        # Nothing is said of the scale: bytes are pixels.
        (np.uint8, 0.0, 0, (0, 1, 127, 128, 254, 255)),
        # Calibrated on half the ink: the brighter half is beyond what can be stored.
        (np.int8, UNIT / 2, -128, (-128, -126, 126, 127, 127, 127)),
        # Made for [-1, 1]: pixel / 255 fills the upper half, 127 / 255 is 63.5 steps and rounds up.
        (np.int8, 2 * UNIT, 0, (0, 1, 64, 64, 127, 127)),
        (np.uint8, 2 * UNIT, 128, (128, 129, 192, 192, 255, 255)),
        (np.float32, 0.0, 0, (0.0, 1 / 255, 127 / 255, 128 / 255, 254 / 255, 1.0)),
    ],
)
def test_pixels_are_stored_as_the_input_asks(
    dtype: type, scale: float, zero_point: int, stored: tuple[float, ...]
) -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[3, : len(PIXELS)] = PIXELS
    memory = np.full((2, 28, 28), 7, dtype)
    buffer = memory if dtype == np.float32 else memory.view(np.uint8)
    encode = _encoder(Tensor(0, (1, 28, 28, 1), np.dtype(dtype), scale, zero_point), (28, 28))
    encode(picture, buffer[0])
    encode(np.stack([picture, picture]), buffer)
    wanted = np.array(stored, dtype)
    for row in memory[:, 3, : len(PIXELS)]:
        assert row.tolist() == wanted.tolist()


def test_the_scale_of_a_model_is_read_from_its_file(tiny: Callable[[str], Path]) -> None:
    ends = {
        name: (str(network.input), str(network.output))
        for name in ("int8", "float32", "foreign-uint8-flat", "foreign-half-scale", "foreign-float32-plane")
        for network in [Network(read_model_file(tiny(name)), name, backends.choose())]
    }
    assert ends == {
        "int8": ("int8 1×28×28×1 of scale 0.003922", "int8 1×10 of scale 0.1824"),
        "float32": ("float32 1×28×28×1", "float32 1×10"),
        "foreign-uint8-flat": ("uint8 1×784 of scale 0.003922", "uint8 1×10 of scale 0.003906"),
        "foreign-half-scale": ("int8 1×28×28×1 of scale 0.001961", "int8 1×10 of scale 0.09978"),
        "foreign-float32-plane": ("float32 1×28×28", "float32 1×10"),
    }


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ["int8", "foreign-uint8-flat", "foreign-half-scale", "foreign-single"])
def test_many_pictures_are_answered_as_each_alone(
    name: str, threads: int, tiny: Callable[[str], Path], drawn: tuple[NDArray[np.uint8], NDArray[np.uint8]]
) -> None:
    network = Network(read_model_file(tiny(name)), name, backends.choose(), threads)
    images = np.concatenate([drawn[0], 255 - drawn[0], drawn[0] // 2])
    # By a network of one thread: where cores are busy, threads within one picture wait for each other long.
    single = Network(read_model_file(tiny(name)), name, backends.choose())
    alone = np.stack([single.one(image).reshape(10) for image in images])
    assert alone.dtype == network.output.dtype
    assert np.array_equal(network.one(images[0]).reshape(10), alone[0])
    # Around half a batch, a batch, and several with and without a remainder that is worth a batch.
    half = BATCH // 2
    for count in (0, 1, half - 1, half, half + 1, BATCH - 1, BATCH, BATCH + 1, BATCH + half, 2 * BATCH - 1, 3 * BATCH):
        assert np.array_equal(network.many(images[:count]), alone[:count]), count


def test_float_answers_in_a_batch_differ_by_rounding_alone(
    tiny: Callable[[str], Path], drawn: tuple[NDArray[np.uint8], NDArray[np.uint8]]
) -> None:
    network = Network(read_model_file(tiny("float32")), "float32", backends.choose(), 2)
    alone = np.stack([network.one(image).reshape(10) for image in drawn[0]])
    np.testing.assert_allclose(network.many(drawn[0]), alone, rtol=1e-5, atol=1e-4)


def test_pictures_with_gaps_in_memory_give_the_same_outputs(
    tiny: Callable[[str], Path], drawn: tuple[NDArray[np.uint8], NDArray[np.uint8]]
) -> None:
    network = Network(read_model_file(tiny("int8")), "int8", backends.choose())
    turned = drawn[0].transpose(0, 2, 1)[::2]
    assert np.array_equal(network.many(turned), network.many(np.ascontiguousarray(turned)))
    assert np.array_equal(network.one(turned[0]), network.one(np.ascontiguousarray(turned[0])))


class Ends:
    """An interpreter as far as its ends are asked for."""

    def __init__(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.inputs, self.outputs = inputs, outputs

    def get_input_details(self) -> list[dict[str, object]]:
        return [self._details(tensor) for tensor in self.inputs]

    def get_output_details(self) -> list[dict[str, object]]:
        return [self._details(tensor) for tensor in self.outputs]

    @staticmethod
    def _details(tensor: Tensor) -> dict[str, object]:
        quantization = (tensor.scale, tensor.zero_point)
        shape = np.array(tensor.shape, np.int32)
        return {"index": tensor.index, "shape": shape, "dtype": tensor.dtype.type, "quantization": quantization}


def tensor(shape: tuple[int, ...], dtype: type = np.float32, scale: float = 0.0) -> Tensor:
    return Tensor(0, shape, np.dtype(dtype), scale, 0)


PICTURE, TEN = tensor((1, 28, 28, 1)), tensor((1, 10))


@pytest.mark.parametrize(
    ("to", "out", "shape"),
    [
        (PICTURE, TEN, (28, 28)),
        (tensor((1, 28, 28)), tensor((10,)), (28, 28)),
        (tensor((1, 784)), tensor((1, 1, 1, 10)), (28, 28)),
        (tensor((1, 784), np.uint8), tensor((1, 10), np.uint8, 0.1), (28, 28)),
        (tensor((1, 784), np.int8, 0.1), tensor((1, 10), np.int8, 0.1), (28, 28)),
        (tensor((1, 32, 20, 1)), tensor((1, 2)), (32, 20)),
        (tensor((1, 16, 64)), tensor((1, 128)), (16, 64)),
    ],
)
def test_tensors_that_fit(to: Tensor, out: Tensor, shape: tuple[int, int]) -> None:
    assert _input_and_output(Ends([to], [out]), "m") == (to, out)  # type: ignore[arg-type]
    assert _picture_shape(to, "m", None) == _picture_shape(to, "m", shape) == shape


def test_a_row_of_pixels_is_cut_into_lines_as_the_card_says() -> None:
    assert _picture_shape(tensor((1, 640)), "m", (32, 20)) == (32, 20)
    with pytest.raises(ModelError, match="m: the input is float32 1×640; allowed is 1×H×W×1"):
        _picture_shape(tensor((1, 640)), "m", None)


def test_an_input_that_the_card_does_not_describe_is_refused() -> None:
    with pytest.raises(ModelError, match="m: the input is float32 1×32×20×1, but its card says 28×28 pixels"):
        _picture_shape(tensor((1, 32, 20, 1)), "m", (28, 28))


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ([PICTURE, PICTURE], [TEN], "m: 2 inputs and 1 outputs; a classifier has one of each"),
        ([PICTURE], [TEN, TEN], "m: 1 inputs and 2 outputs; a classifier has one of each"),
        ([tensor((1, 28, 28, 3))], [TEN], "m: the input is float32 1×28×28×3; allowed is 1×H×W×1 "),
        ([tensor((8, 28, 28, 1))], [TEN], "m: the input is float32 8×28×28×1; allowed is 1×H×W×1 "),
        ([tensor((1, 784), np.float64)], [TEN], "m: the input is float64 1×784; allowed is 1×H×W×1 "),
        ([tensor((1, 784), np.int16, 0.1)], [TEN], "m: the input is int16 1×784 of scale 0.1; allowed is "),
        ([tensor((1, 784), np.int8)], [TEN], "m: the input is int8 1×784; allowed is "),
        ([tensor((1, 15, 28, 1))], [TEN], "m: the input is float32 1×15×28×1; allowed is 1×H×W×1 or 1×H×W of 16 to 64"),
        ([tensor((1, 28, 65, 1))], [TEN], "m: the input is float32 1×28×65×1; allowed is "),
        ([tensor((1, 783))], [TEN], "m: the input is float32 1×783; allowed is "),
        ([PICTURE], [tensor((1, 1))], "m: the output is float32 1×1; allowed is 1×2 to 1×128 of "),
        ([PICTURE], [tensor((1, 129))], "m: the output is float32 1×129; allowed is 1×2 to 1×128 of "),
        ([PICTURE], [tensor((1, 10), np.uint8)], "m: the output is uint8 1×10; allowed is 1×2 to 1×128 of "),
        ([PICTURE], [tensor((1, 10), np.int64)], "m: the output is int64 1×10; allowed is 1×2 to 1×128 of "),
    ],
)
def test_tensors_that_do_not_fit(inputs: list[Tensor], outputs: list[Tensor], words: str) -> None:
    def load() -> None:
        to, _ = _input_and_output(Ends(inputs, outputs), "m")  # type: ignore[arg-type]
        _picture_shape(to, "m", None)

    with pytest.raises(ModelError) as caught:
        load()
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)
