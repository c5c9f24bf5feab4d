"""Models of every covered operator, and what compiles and runs C here."""

import ctypes
import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from edge_digits_convert.inference import inference_function
from edge_digits_convert.microcontroller.exporting import export, made_pictures
from edge_digits_convert.strip import unpack
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.model.card import ModelCard, append_card, read_model_file
from numpy.typing import NDArray

CARD = ModelCard(name="every-layer", scheme="int8", sha256="", temperature=1.3, min_confidence=0.6)
SHAPE = 20, 32
CLASSES = ("A", "B", "C", "minus", "blank")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")

Compiled = Callable[[NDArray[np.uint8]], NDArray[np.int8]]


def converted(layers: list[Any], shape: tuple[int, int] = SHAPE, per_tensor: bool = False) -> bytes:
    """Return an int8 flatbuffer of a Keras network with seeded random weights and biases."""
    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input((*shape, 1)), *layers])
    # All drawn here: layers choose the seeds of their initializers when they are made, before any seed could be set.
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, _deviation(w.shape), w.shape) for w in model.get_weights()])

    function = inference_function(model).get_concrete_function(tf.TensorSpec((1, *shape, 1), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel = per_tensor
    pixels = rng.uniform(0, 1, (50, 1, *shape, 1)).astype(np.float32)
    pixels[:2] = np.arange(2).reshape(2, 1, 1, 1, 1)
    converter.representative_dataset = lambda: ([picture] for picture in pixels)
    flatbuffer: bytes = converter.convert()
    return flatbuffer


def _deviation(shape: tuple[int, ...]) -> float:
    """Return the standard deviation of a bias, or of a kernel that keeps the size of its input."""
    return 0.2 if len(shape) == 1 else float(np.sqrt(2 / np.prod(shape[:2] if len(shape) == 4 else shape[:1])))


def carded(
    flatbuffer: bytes, classes: tuple[str, ...] = CLASSES, shape: tuple[int, int] = SHAPE, **fields: Any
) -> bytes:
    """Return the model file of a flatbuffer."""
    form = Input("crop", *shape)
    return append_card(flatbuffer, dataclasses.replace(CARD, labels=classes, input=form, **fields))


@pytest.fixture(scope="session")
def every_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with every covered operator, odd sizes, dilation, two steps, several channels for one, and ReLU6."""
    from keras import layers

    flatbuffer = converted(
        [
            layers.Conv2D(3, (3, 5), strides=(1, 2), padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
            layers.Conv2D(5, 3, padding="same", activation="relu6"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(4, 2, padding="same"),
            layers.AveragePooling2D(3, strides=2, padding="same"),
            layers.DepthwiseConv2D(3, strides=2, padding="valid", activation="relu"),
            layers.Conv2D(6, 1, use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(7, activation="relu"),
            layers.Dense(len(CLASSES)),
        ]
    )
    # The converter makes more operators of a dilated convolution, which this one has the right sizes for.
    model = unpack(flatbuffer)
    options = model.subgraphs[0].operators[2].builtinOptions
    options.dilationHFactor, options.dilationWFactor = 2, 3
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path_factory.mktemp("every") / "every-layer.tflite"
    path.write_bytes(carded(bytes(builder.Output())))
    return path


@pytest.fixture(scope="session")
def one_scale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights have one scale for a whole tensor."""
    from keras import layers

    flatbuffer = converted(
        [
            layers.Conv2D(4, 3, strides=3, activation="relu"),
            layers.Flatten(),
            layers.Dense(30, activation="relu"),
            layers.Dense(len(CLASSES)),
        ],
        per_tensor=True,
    )
    path = tmp_path_factory.mktemp("one") / "one-scale.tflite"
    path.write_bytes(carded(flatbuffer))
    return path


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return the folder that a model is exported to, once for each."""
    done: dict[Path, Path] = {}

    def folder(model: Path) -> Path:
        if model not in done:
            card = read_model_file(model).card
            assert card is not None
            out = tmp_path_factory.mktemp("export") / "digits"
            export(model, out, made_pictures(*card.input.shape), "Pictures of noise.")
            done[model] = out
        return done[model]

    return folder


@pytest.fixture(scope="session")
def compiled(
    exported: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory, cc: Callable[..., None]
) -> Callable[[Path], Compiled]:
    """Compile the C of a model and return the function that gives its logits for pictures ``(n, height, width)``."""

    def compile_model(model: Path) -> Compiled:
        library = tmp_path_factory.mktemp("library") / "digits.so"
        cc(*STRICT, "-O2", "-shared", "-fPIC", "-o", library, exported(model) / "digits.c")
        classify = ctypes.CDLL(str(library)).edge_digits_classify
        card = read_model_file(model).card
        assert card is not None
        classes = len(card.labels)

        def logits(pictures: NDArray[np.uint8]) -> NDArray[np.int8]:
            result = np.empty((len(pictures), classes), np.int8)
            for picture, row in zip(np.ascontiguousarray(pictures), result, strict=True):
                answer = classify(picture.ctypes.data_as(ctypes.c_void_p), row.ctypes.data_as(ctypes.c_void_p))
                assert answer == row.argmax()
            return result

        return logits

    return compile_model


@pytest.fixture(scope="session")
def cc() -> Callable[..., None]:
    """Run the C compiler of this machine with some arguments; it must succeed."""

    def run(*arguments: str | Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        assert compiler, "these tests need a C compiler: ./check installs gcc"
        done = subprocess.run([compiler, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="session")
def tflite_micro() -> Callable[[Path, NDArray[np.uint8]], NDArray[np.int8]]:
    """Return the logits of TensorFlow Lite Micro for pictures ``(n, height, width)``."""
    pytest.importorskip("tflite_micro", reason="TFLite Micro has wheels only for Linux on x86")
    from tflite_micro import runtime

    def logits(model: Path, pictures: NDArray[np.uint8]) -> NDArray[np.int8]:
        file = read_model_file(model)
        interpreter = runtime.Interpreter.from_bytes(file.content[: file.flatbuffer_bytes], arena_size=1 << 20)
        rows = []
        for picture in pictures:
            interpreter.set_input((picture ^ 0x80).view(np.int8)[None, ..., None], 0)
            interpreter.invoke()
            rows.append(interpreter.get_output(0).reshape(-1).copy())
        return np.array(rows, np.int8)

    return logits
