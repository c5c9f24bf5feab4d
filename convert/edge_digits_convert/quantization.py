"""The first step: from the Keras model of a run to a TFLite flatbuffer, quantized by one of four schemes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.errors import ModelError, RunError
from edge_digits_runtime.library_errors import first_line
from edge_digits_runtime.model.card import Scheme
from edge_digits_runtime.native_stderr import quiet
from edge_digits_runtime.records.run import RECORD
from numpy.typing import NDArray

from edge_digits_convert.trained_run import TrainedRun

_CHUNK = 100


@dataclass(frozen=True)
class Quantized:
    """A model as ``TFLiteConverter`` made it."""

    flatbuffer: bytes
    scheme: Scheme
    shape: tuple[int, int]
    """Height and width of its pictures in pixels."""
    classes: int
    """Number of its outputs."""


def quantize(run: TrainedRun, scheme: Scheme, calibration: NDArray[np.uint8], probe: NDArray[np.uint8]) -> Quantized:
    """Convert the Keras model of a run.

    Equal arguments give equal bytes but for the names of tensors.

    Args:
        run: the run.
        scheme: one of `edge_digits_runtime.model.card.SCHEMES`, see `to_flatbuffer`.
        calibration: pictures whose activations give the ranges of int8, shape ``(n, height, width)``; unused
            by the others.
        probe: pictures, shape ``(n, height, width)``, on which the Keras model and the function that is converted must
            agree.

    Raises:
        RunError: the Keras model cannot be loaded or converted.
        ModelError: the function to be converted does not compute what the Keras model does.
    """
    with naming(run.model), quiet():
        # Imported in here, so that what TensorFlow logs when it is loaded is kept off the terminal as well.
        from edge_digits_convert.inference import check_same, inference_function, load_model

        model = load_model(run.model, run.allow_code)
        shape, classes = run.record.data["input"].shape, len(run.record.data["classes"])
        if (model.input_shape, model.output_shape) != ((None, *shape, 1), (None, classes)):
            raise RunError(
                f"a model of shapes {model.input_shape} and {model.output_shape}, but {RECORD} says pictures of "
                f"{shape[0]}×{shape[1]} pixels and {classes} classes: train again"
            )
        infer = inference_function(model)
        check_same(model, infer, probe)
        return Quantized(to_flatbuffer(infer, scheme, calibration), scheme, shape, classes)


def to_flatbuffer(infer: Any, scheme: Scheme, calibration: NDArray[np.uint8]) -> bytes:
    """Convert a function with ``TFLiteConverter``.

    Args:
        infer: a ``tf.function`` of float32 pictures ``(n, height, width, 1)`` in [0, 1] to logits, its weights
            constants.
        scheme: one of `edge_digits_runtime.model.card.SCHEMES`. int8 quantizes weights (one scale for each output
            channel), activations, input and output; float16 stores weights in half precision and dynamic in int8, and
            both compute in float32.
        calibration: pictures whose activations give the ranges of int8, shape ``(n, height, width)``; unused by
            the others.

    Raises:
        ModelError: the network has an operator that the scheme does not allow.
    """
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        return bytes(configured_converter(infer, scheme, calibration).convert())
    except (ConverterError, RuntimeError, ValueError) as error:
        raise ModelError(_refusal(str(error), scheme)) from error


def configured_converter(infer: Any, scheme: Scheme, calibration: NDArray[np.uint8]) -> Any:
    """Return the ``TFLiteConverter`` of a function, see `to_flatbuffer`."""
    import tensorflow as tf

    # The converter goes through a SavedModel of this module, and warns without it.
    owner = tf.Module()
    owner.infer = infer
    converter = tf.lite.TFLiteConverter.from_concrete_functions([infer.get_concrete_function()], owner)
    if scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme == "dynamic":
        # With a scale for each output it would need version 12 of the dense operator, and tflite-runtime, all that
        # there is for 32-bit ARM, ends at 11. int8 runs there with a scale for each output.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if scheme == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter.representative_dataset = lambda: _chunks(calibration)
    return converter


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put ``path`` in front of errors that do not name it."""
    try:
        yield
    except (RunError, ModelError) as error:
        if str(error).startswith(str(path)):
            raise
        raise type(error)(f"{path}: {error}") from error


def _chunks(pictures: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    """Give the converter the calibration pictures; ranges are extremes, so the size of a chunk does not matter."""
    from edge_digits_convert.inference import pixels

    for start in range(0, len(pictures), _CHUNK):
        yield [pixels(pictures[start : start + _CHUNK])]


def _refusal(message: str, scheme: Scheme) -> str:
    """Return in one line what the converter said in many."""
    operator = re.search(r"error: '(tf\.\w+)' op (.+)", message)
    if operator is None:
        return f"the converter cannot make {scheme} of the network: {first_line(Exception(message))[:300]}"
    advice = "; a recurrent layer is a loop, take a convolution" if "TensorList" in operator[1] else ""
    return f"the converter cannot make {scheme} of the network: {operator[1]} {operator[2][:200]}{advice}"
