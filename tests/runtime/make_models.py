"""Make the models in ``data/``: ``python tests/runtime/make_models.py`` where TensorFlow is installed.

They are networks of a few hundred weights for the drawn digits of ``conftest.py``, so that the tests of the runtime
need neither TensorFlow nor a data set. The same versions on the same machine make the same files.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from conftest import draw_digits
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.model.card import Calibration, FloatReference, ModelCard, append_card
from edge_digits_runtime.records import files

FOLDER = Path(__file__).parent / "models"
CARD = ModelCard(
    name="tiny",
    scheme="int8",
    sha256="",
    recipe={"name": "tiny", "seed": 1},
    data="drawn digits (4,000 pictures)",
    weights_sha256="5eed" * 16,
    calibration=Calibration("train", 500, 1),
    reference=FloatReference("a workstation", {"validation": 1.0, "test": 1.0}, 100.0),
    accuracy={"validation": 1.0, "test": 1.0},
    temperature=1.5,
    min_confidence=0.6,
    created="2025-01-01T00:00:00+00:00",
)
Function = Callable[[Any], Any]


def main() -> None:
    """Train once, then write the same weights in every form that the runtime takes, and some that it refuses."""
    keras.utils.set_random_seed(1)
    images, labels = draw_digits(4000, seed=1)
    model = network()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images[..., None] / np.float32(255), labels, batch_size=32, epochs=8, verbose=0)
    unit = images[:500, None] / np.float32(255)

    def flat(x: Any) -> Any:
        return tf.nn.softmax(model(tf.reshape(x, (-1, 28, 28, 1))))

    int8 = convert(model, (1, 28, 28, 1), tf.int8, unit)
    save("int8", append_card(int8, CARD))
    save(
        "float32",
        append_card(convert(model, (1, 28, 28, 1)), dataclasses.replace(CARD, scheme="float32", calibration=None)),
    )
    # Made by others: no card, a softmax at the end, other shapes and types.
    save("foreign-uint8-flat", convert(flat, (1, 784), tf.uint8, unit))
    save("foreign-float32-plane", convert(flat, (1, 28, 28)))
    # Calibrated on pictures of half the ink: scale 0.5 / 255.
    save("foreign-half-scale", convert(model, (1, 28, 28, 1), tf.int8, unit / 2))
    # One picture at a time: the batch size is written into the graph.
    save("foreign-single", convert(lambda x: tf.reshape(model(tf.reshape(x, (1, 28, 28, 1))), (10,)), (1, 28, 28, 1)))
    save("foreign-32", convert(lambda x: model(x[:, 2:30, 2:30]), (1, 32, 32, 1)))
    save("foreign-nine", convert(lambda x: model(x)[:, :9], (1, 28, 28, 1)))
    # Classes and pictures of another kind: five names, whole pictures of 32 × 20.
    padded = np.pad(unit[:, 0], ((0, 0), (2, 2), (0, 0)))[:, :, 4:24, None]

    def own(x: Any) -> Any:
        return model(tf.pad(x[:, 2:30], ((0, 0), (0, 0), (4, 4), (0, 0))))[:, :5]

    card = dataclasses.replace(CARD, labels=("2", "10", "A", "blank", "minus"), input=Input("crop", 32, 20))
    save("own", append_card(convert(own, (1, 32, 20, 1), tf.int8, padded), card))
    save("refused-two-outputs", convert(lambda x: (model(x), tf.reduce_sum(x)), (1, 28, 28, 1)))
    # How many pixels tf.where finds is only known when it runs.
    save(
        "refused-sizes",
        convert(lambda x: x[:, :10, 0, 0] + tf.reduce_sum(tf.gather_nd(x, tf.where(x > 0.5))), (1, 28, 28, 1)),
    )
    save_known_operators(unit)
    save("refused-nan", convert(lambda x: tf.math.log(-1.0 - model(x) ** 2), (1, 28, 28, 1)))


def save_known_operators(unit: np.ndarray) -> None:
    """Write models that together have all operators with a rule in ``operator_rules``, in all types."""
    keras.utils.set_random_seed(2)
    layers = keras.layers
    first, point = layers.Conv2D(4, 3, strides=2, padding="same"), layers.Conv2D(4, 1)
    separable, dense = layers.DepthwiseConv2D(3, padding="same"), layers.Dense(4, activation="relu")
    grown, last = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2), layers.Dense(10)

    def known(x: Any) -> Any:
        x = tf.nn.relu6(first(tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))))
        x = tf.nn.leaky_relu(separable(x), 0.1) + point(x)
        x = tf.concat([tf.nn.max_pool2d(x, 2, 2, "SAME"), tf.nn.avg_pool2d(x, 3, 2, "SAME")], 3)
        gate = tf.reshape(tf.sigmoid(tf.reduce_mean(x, (1, 2), keepdims=True)), (1, 8))
        x = 1.0 - tf.nn.relu6(x[:, :, :, :4]) * tf.reshape(tf.tanh(dense(gate)), (1, 1, 1, 4))
        x = grown(tf.nn.relu(tf.transpose(x, (0, 2, 1, 3))))
        # A hard swish.
        x = x * tf.nn.relu6(x + 3.0) * (1 / 6)
        return tf.nn.softmax(last(tf.reduce_mean(x, (1, 2))))

    def divided(x: Any) -> Any:
        x = known(x)
        return x / (tf.reduce_sum(x, 1, keepdims=True) + 1.0)

    # Weights of less than 1,024 numbers stay float where the others become int8.
    wide = [layers.Conv2D(8, 5, strides=3, activation="relu"), layers.Conv2D(16, 3, strides=2), layers.Flatten()]
    save("known-int8", convert(known, (1, 28, 28, 1), tf.int8, unit))
    save("known-float32", convert(divided, (1, 28, 28, 1)))
    save("known-float16", convert(known, (1, 28, 28, 1), small=tf.float16))
    save("known-dynamic", convert(keras.Sequential([*wide, layers.Dense(10)]), (1, 28, 28, 1), small=tf.int8))


def network() -> keras.Model:
    """Three convolutions, 840 weights; logits."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(4, 4, strides=4, activation="relu"),
            keras.layers.Conv2D(6, 3, strides=2, activation="relu"),
            keras.layers.Conv2D(10, 3),
            keras.layers.Lambda(lambda x: keras.ops.reshape(x, (-1, 10))),
        ]
    )


def convert(
    function: Function,
    shape: tuple[int, ...],
    ends: tf.DType | None = None,
    calibration: np.ndarray | None = None,
    small: tf.DType | None = None,
) -> bytes:
    """A flatbuffer of ``function``; full-integer with ``ends`` as the type of input and output, else float.

    ``small`` is the type of the weights of a float model, if it is not float32.
    """
    concrete = tf.function(lambda x: function(x)).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if ends is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([picture.reshape(shape)] for picture in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = ends
    if small is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if small == tf.float16:
            converter.target_spec.supported_types = [small]
    result: bytes = converter.convert()
    return result


def save(name: str, content: bytes) -> None:
    files.write_bytes(FOLDER / f"{name}.tflite", content)


if __name__ == "__main__":
    main()
