"""The Keras model of a line recipe, its loss, and its statistics of batch normalization."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from edge_digits_runtime.page.line import HEIGHT, WIDTH
from numpy.typing import NDArray

from edge_digits_train.engine.feed import pixels
from edge_digits_train.engine.keras_model import derived_seed
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.lines.charset import BLANK, LONGEST, encode
from edge_digits_train.recipes.line_recipe import CLASSES, STEPS, LineRecipe

SETTLING_BATCH = 256
"""Lines of a batch when the statistics of batch normalization are measured."""
_PREDICTED_BATCH = 128


def build(recipe: LineRecipe) -> keras.Model:
    """Return the untrained, uncompiled model of a recipe; its initial weights follow from ``recipe.seed`` alone.

    It takes float32 pictures ``(n, 32, 264, 1)``, pixel / 255, and gives logits ``(n, 88, classes)``.
    """
    devices()
    layers = keras.layers
    inputs = outputs = keras.Input((HEIGHT, WIDTH, 1), name="pixels")
    convolutions = recipe.architecture.convolutions
    for index, convolution in enumerate(convolutions):
        last = convolution is convolutions[-1]
        # Names of our own, since Keras numbers its layers through the whole process.
        name = f"layer{index + 1}"
        outputs = layers.Conv2D(
            convolution.filters,
            convolution.kernel,
            strides=convolution.strides,
            padding=convolution.padding,
            dilation_rate=(1, convolution.dilation),
            use_bias=last,
            kernel_initializer=keras.initializers.GlorotUniform(derived_seed(recipe.seed, index)),
            name=f"{name}_conv",
        )(outputs)
        if not last:
            outputs = layers.BatchNormalization(name=f"{name}_norm")(outputs)
            outputs = layers.ReLU(name=f"{name}_relu")(outputs)
        if convolution.pool:
            outputs = layers.MaxPooling2D((2, 1), name=f"{name}_pool")(outputs)
    outputs = layers.Reshape((STEPS, CLASSES), name="steps")(outputs)
    return keras.Model(inputs, outputs, name=recipe.name.replace("-", "_"))


def targets(labels: Iterable[str]) -> NDArray[np.int32]:
    """Return labels as `ctc_loss` takes them: indices of the characters, then -1; shape ``(n, LONGEST)``."""
    rows = [encode(label) for label in labels]
    result = np.full((len(rows), LONGEST), -1, np.int32)
    for row, indices in zip(result, rows, strict=True):
        row[: len(indices)] = indices
    return result


def ctc_loss(wanted: Any, logits: Any) -> Any:
    """Return the CTC loss of each line (Graves et al. 2006): minus the logarithm of the probability of its label.

    Args:
        wanted: as `targets` returns them; a label may be empty.
        logits: shape ``(n, steps, classes)``, the blank last.
    """
    ops = keras.ops
    wanted = ops.cast(wanted, "int32")
    lengths = ops.sum(ops.cast(wanted >= 0, "int32"), axis=1)
    steps = ops.full_like(lengths, logits.shape[1])
    return ops.ctc_loss(ops.maximum(wanted, 0), logits, lengths, steps, mask_index=BLANK)


def settle(model: keras.Model, pictures: NDArray[np.uint8]) -> None:
    """Measure the statistics of batch normalization anew: their means over batches of ``pictures``.

    Averaged weights need statistics of their own: those that were gathered during training belong to other weights.

    Args:
        model: changed in place.
        pictures: of training lines, shape ``(n, 32, 264)``, n ≥ 1.
    """
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    starts = range(0, max(len(pictures) - SETTLING_BATCH, 0) + 1, SETTLING_BATCH)
    for count, start in enumerate(starts):
        for layer in norms:
            # The mean of count + 1 batches, out of the mean of count batches and one more.
            layer.momentum = count / (count + 1)
        model(pixels(pictures[start : start + SETTLING_BATCH]), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def predict(model: keras.Model, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits of pictures ``(n, 32, 264)``, shape ``(n, steps, classes)``."""
    starts = range(0, len(pictures), _PREDICTED_BATCH)
    parts = [model.predict_on_batch(pixels(pictures[start : start + _PREDICTED_BATCH])) for start in starts]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])
