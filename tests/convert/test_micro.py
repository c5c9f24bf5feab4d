"""The shipped models on TensorFlow Lite for Microcontrollers, which needs no operating system."""

import platform
import sys
from pathlib import Path

import numpy as np
import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import read_model_file
from edge_digits_train.data import mnist

if (sys.platform, platform.machine()) != ("linux", "x86_64"):
    pytest.skip("TFLite Micro has wheels only for Linux on x86", allow_module_level=True)
from tflite_micro import runtime

ARENA = 64 * 1024
"""RAM for the activations of the network, in bytes."""


@pytest.mark.parametrize(("name", "path"), registry.paths().items(), ids=registry.paths())
def test_a_microcontroller_gives_the_same_answers(name: str, path: Path) -> None:
    images = mnist.load().test.images[:100]
    wanted = DigitClassifier(path).outputs(images)
    model = read_model_file(path)
    # An operator that TFLite Micro lacks would raise here.
    interpreter = runtime.Interpreter.from_bytes(model.content[: model.flatbuffer_bytes], arena_size=ARENA)
    answers = np.empty_like(wanted)
    for image, answer in zip(images, answers, strict=True):
        interpreter.set_input((image.astype(np.int16) - 128).astype(np.int8).reshape(1, 28, 28, 1), 0)
        interpreter.invoke()
        answer[:] = interpreter.get_output(0)[0]
    # What these pictures are to a model of meters is a matter of rounding.
    if name.startswith("digits-"):
        assert np.array_equal(answers.argmax(axis=1), wanted.argmax(axis=1)), name
    # Its kernels round differently from those of XNNPACK.
    assert np.abs(answers.astype(int) - wanted).max() <= 2, name
