"""What the reader of flatbuffers says of a model, and that it never looks outside of the file."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model import schema
from edge_digits_runtime.model.card import read_model_file

MODELS = ["int8", "float32", "foreign-uint8-flat", "foreign-single", "refused-two-outputs"]


def whole(content: bytes) -> bool:
    try:
        schema.read(content)
    except ModelError:
        return False
    return True


@pytest.mark.parametrize("name", MODELS)
def test_every_cut_is_noticed(name: str, tiny: Callable[[str], Path]) -> None:
    file = read_model_file(tiny(name))
    assert schema.read(file.content).end == schema.read(file.content[: file.flatbuffer_bytes]).end
    missed = [end for end in range(file.flatbuffer_bytes) if whole(file.content[:end])]
    assert missed == []


@pytest.mark.parametrize("name", MODELS)
def test_the_end_is_that_of_the_flatbuffer(name: str, tiny: Callable[[str], Path]) -> None:
    file = read_model_file(tiny(name))
    assert schema.read(file.content).end == file.flatbuffer_bytes


def test_noise_and_nothing_are_not_models() -> None:
    assert not whole(b"")
    noise = np.random.default_rng(0).integers(0, 256, (200, 500), np.uint8)
    assert not any(whole(row[:4].tobytes() + b"TFL3" + row[8:].tobytes()) for row in noise)


def test_any_damage_is_a_model_error_or_none(tiny: Callable[[str], Path]) -> None:
    content = read_model_file(tiny("int8")).content
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(2000):
        damaged = bytearray(content)
        at = int(rng.integers(8, 2000)) // 4 * 4
        struct.pack_into("<i", damaged, at, int(rng.choice([0, 1, -1, 2**31 - 1, -(2**31), at, len(content)])))
        answers.append(whole(bytes(damaged)))
    assert {True, False} == set(answers)


def test_tables_that_overlap_take_no_longer() -> None:
    """A megabyte of vectors that lie in each other would be read 10¹¹ times."""
    count = 200_000
    root = struct.pack("<I4s", 24, b"TFL3") + struct.pack("<HHHHHH", 12, 8, 0, 0, 4, 0) + bytes(4)
    root += struct.pack("<iI", 16, 4) + struct.pack("<I", count)
    # Every entry leads to a table at the same place or four bytes on; each has the fields of a graph.
    start = len(root)
    offsets = b"".join(struct.pack("<I", 4 * (count - i) + 4 * (i % 1000)) for i in range(count))
    tail = struct.pack("<i", -8) * 2000
    content = root + offsets + tail
    assert start % 4 == 0
    begun = time.process_time()
    assert not whole(content)
    assert time.process_time() - begun < 5


def test_a_first_layer(tiny: Callable[[str], Path]) -> None:
    graph = schema.read(tiny("int8").read_bytes()).graphs[0]
    first = graph.operators[0]
    assert (first.name, first.options_type, first.special) == ("CONV_2D", 1, "")
    assert first.options["stride_w"] == first.options["stride_h"] == 4
    assert first.options["dilation_w_factor"] == 1
    picture, kernel, bias = (graph.tensors[index] for index in first.inputs)
    assert (picture.shape, picture.type, picture.constant, picture.zero_points) == (
        (1, 28, 28, 1),
        "INT8",
        False,
        (-128,),
    )
    assert picture.scales == (np.float32(1 / 255),)
    assert (kernel.array.shape, kernel.array.dtype, kernel.axis, len(kernel.scales)) == ((4, 4, 4, 1), np.int8, 0, 4)
    assert bias.array.shape == (4,)
    assert not kernel.array.flags.writeable


def test_content_that_is_not_of_the_shape_is_said(tiny: Callable[[str], Path]) -> None:
    import dataclasses

    graph = schema.read(tiny("int8").read_bytes()).graphs[0]
    kernel = graph.tensors[graph.operators[0].inputs[1]]
    with pytest.raises(ModelError, match="not those of the shape"):
        _ = dataclasses.replace(kernel, shape=(4, 4, 4, 2)).array
    with pytest.raises(ModelError, match="is INT4; allowed are FLOAT32"):
        _ = dataclasses.replace(kernel, type="INT4").array
