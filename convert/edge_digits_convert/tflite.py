"""From the function that a device computes to a TFLite flatbuffer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_CHUNK = 100


def to_flatbuffer(infer: Any, scheme: str, calibration: NDArray[np.uint8]) -> bytes:
    """Convert with ``TFLiteConverter``; equal arguments give equal bytes but for the names of tensors.

    Args:
        infer: a ``tf.function`` of float32 pictures ``(n, 28, 28, 1)`` in [0, 1] to logits, its weights constants.
        scheme: one of `edge_digits_runtime.model.card.SCHEMES`. int8 quantizes weights (one scale for each output
            channel), activations, input and output; float16 stores weights in half precision and dynamic in int8, both
            compute in float32.
        calibration: pictures whose activations give the ranges of int8, shape ``(n, 28, 28)``; otherwise unused.
    """
    # The converter goes through a SavedModel of this, and warns without it.
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
    return bytes(converter.convert())


def _chunks(pictures: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    """As the converter calls for them. Ranges are smallest and largest values, so the size of a chunk is free."""
    for start in range(0, len(pictures), _CHUNK):
        yield [pictures[start : start + _CHUNK, ..., None].astype(np.float32) / np.float32(255)]
