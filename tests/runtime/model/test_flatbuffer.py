"""A model that was cut off is noticed, wherever the cut is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime.model.card import read_model_file
from edge_digits_runtime.model.flatbuffer import is_whole

MODELS = ["int8", "float32", "foreign-uint8-flat", "foreign-single", "refused-two-outputs"]


@pytest.mark.parametrize("name", MODELS)
def test_every_cut_is_noticed(name: str, tiny: Callable[[str], Path]) -> None:
    file = read_model_file(tiny(name))
    assert is_whole(file.content)
    assert is_whole(file.content[: file.flatbuffer_bytes])
    missed = [end for end in range(file.flatbuffer_bytes) if is_whole(file.content[:end])]
    assert missed == []


def test_noise_and_nothing_are_not_models() -> None:
    assert not is_whole(b"")
    noise = np.random.default_rng(0).integers(0, 256, (200, 500), np.uint8)
    assert not any(is_whole(row.tobytes()) for row in noise)


def test_a_flipped_byte_never_raises(tiny: Callable[[str], Path]) -> None:
    content = read_model_file(tiny("int8")).content
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.integers(0, len(content))] ^= 1 << rng.integers(0, 8)
        answers.append(is_whole(bytes(damaged)))
    assert {True, False} == set(answers)
