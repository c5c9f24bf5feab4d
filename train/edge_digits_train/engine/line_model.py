"""The Keras model of a line reader or row finder, its loss, and its statistics of batch normalization."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_train.engine.feed import pixels
from edge_digits_train.engine.keras_model import derived_seed
from edge_digits_train.engine.keras_session import devices, keras
from edge_digits_train.lines.charset import BLANK, LONGEST, encode
from edge_digits_train.lines.generator import Lines
from edge_digits_train.lines.page_sheet import HEIGHT_STEPS, NO_HEIGHT, NOTHING
from edge_digits_train.lines.pages import Pages
from edge_digits_train.recipes.line_recipe import CLASSES, ROW_OUTPUTS, STEPS, LineArchitecture, LineRecipe

SETTLING_BATCH = 256
"""Lines of a batch when the statistics of batch normalization are measured."""
_PREDICTED_BATCH = 128
_HEIGHT_WEIGHT = 0.5
"""Of the error of a height, in octaves, beside the cross entropy of the classes. With 0.05, nearly the mean height was
said of all digits: 26 % too much of those of 8 pixels, and a third too little of those of 27."""


def build(recipe: LineRecipe) -> keras.Model:
    """Return the untrained, uncompiled model of a recipe; its initial weights follow from ``recipe.seed`` alone.

    It takes float32 pictures, pixel / 255. A line reader takes ``(n, 32, 264, 1)`` and gives logits
    ``(n, 88, classes)``. A row finder takes any size and gives the outputs of 4 × 4 parts for every 8 × 8 pixels, shape
    ``(n, height / 8, width / 8, 16 · outputs)``.
    """
    lines = isinstance(recipe.architecture, LineArchitecture)
    devices()
    layers = keras.layers
    inputs = outputs = keras.Input((*recipe.architecture.shape, 1) if lines else (None, None, 1), name="pixels")
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
            dilation_rate=convolution.dilation,
            use_bias=last,
            kernel_initializer=keras.initializers.GlorotUniform(derived_seed(recipe.seed, index)),
            name=f"{name}_conv",
        )(outputs)
        if not last:
            outputs = layers.BatchNormalization(name=f"{name}_norm")(outputs)
            outputs = layers.ReLU(name=f"{name}_relu")(outputs)
        if convolution.pool:
            outputs = layers.MaxPooling2D((2, 1), name=f"{name}_pool")(outputs)
    if lines:
        outputs = layers.Reshape((STEPS, CLASSES), name="steps")(outputs)
    return keras.Model(inputs, outputs, name=recipe.name.replace("-", "_"))


def targets(labels: Iterable[str]) -> NDArray[np.int32]:
    """Return labels as `ctc_loss` takes them: indices of the characters, then -1; shape ``(n, LONGEST)``."""
    rows = [encode(label) for label in labels]
    result = np.full((len(rows), LONGEST), -1, np.int32)
    for row, indices in zip(result, rows, strict=True):
        row[: len(indices)] = indices
    return result


def wanted(made: Lines | Pages) -> NDArray[np.integer[Any]]:
    """Return what the loss of lines or pages takes beside the outputs of the network."""
    return targets(made.labels) if isinstance(made, Lines) else made.targets


def loss(recipe: LineRecipe) -> Callable[[Any, Any], Any]:
    """Return the loss that a recipe is trained with."""
    return ctc_loss if isinstance(recipe.architecture, LineArchitecture) else row_loss


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


def row_loss(wanted: Any, outputs: Any) -> Any:
    """Return the loss of each page: the weighted mean over its parts of the cross entropy of the class.

    Where there is a number, the error of its height is added.

    Args:
        wanted: targets of `Pages`, shape ``(n, rows, columns, parts, 2)``.
        outputs: of the network, shape ``(n, rows, columns, parts · outputs)``.
    """
    ops = keras.ops
    outputs = ops.reshape(outputs, (*ops.shape(wanted)[:4], ROW_OUTPUTS))
    classes, heights = ops.cast(wanted[..., 0], "int32"), ops.cast(wanted[..., 1], "float32") / HEIGHT_STEPS
    entropy = ops.sparse_categorical_crossentropy(ops.maximum(classes, 0), outputs[..., :-1], from_logits=True)
    # There is far more paper than writing.
    counted, written = ops.cast(classes >= 0, "float32"), ops.cast(classes > NOTHING, "float32")
    weights = counted + 2 * written
    sized = ops.cast(wanted[..., 1] > NO_HEIGHT, "float32")
    errors = ops.abs(outputs[..., -1] - heights)
    axes = (1, 2, 3)
    pages = ops.sum(weights * entropy, axes) / ops.maximum(ops.sum(weights, axes), 1.0)
    return pages + _HEIGHT_WEIGHT * ops.sum(sized * errors, axes) / ops.maximum(ops.sum(sized, axes), 1.0)


def settle(model: keras.Model, pictures: NDArray[np.uint8], batch: int = SETTLING_BATCH) -> None:
    """Measure the statistics of batch normalization anew: their means over batches of ``pictures``.

    Averaged weights need statistics of their own: those that were gathered during training belong to other weights.

    Args:
        model: changed in place.
        pictures: of training lines or pages, shape ``(n, height, width)``, n ≥ 1.
        batch: pictures of a batch.
    """
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    starts = range(0, max(len(pictures) - batch, 0) + 1, batch)
    for count, start in enumerate(starts):
        for layer in norms:
            # The mean of count + 1 batches, out of the mean of count batches and one more.
            layer.momentum = count / (count + 1)
        model(pixels(pictures[start : start + batch]), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def predict(model: keras.Model, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the outputs for pictures ``(n, height, width)``: of lines, logits of shape ``(n, steps, classes)``."""
    starts = range(0, len(pictures), _PREDICTED_BATCH)
    parts = [model.predict_on_batch(pixels(pictures[start : start + _PREDICTED_BATCH])) for start in starts]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])
