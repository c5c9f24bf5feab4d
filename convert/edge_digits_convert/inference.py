"""From the Keras model of a run to the function that a device computes: raw picture in, logits out.

What only training needs is left out, the standardization of the input is folded into the first weights, and all weights
are constants. Batch normalization stays as it is: the converter folds it into the convolution or dense layer in front
of it (the tests look for operators that would be left of it).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from edge_digits_runtime.data.classes import FEWEST, MOST
from edge_digits_runtime.errors import ModelError, RunError
from edge_digits_runtime.image.model_input import LARGEST, SMALLEST
from edge_digits_runtime.library_errors import first_line
from numpy.typing import NDArray

_RANDOM_PICTURES = (
    "AugMix",
    "CutMix",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
)
TRAINING_ONLY = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Identity,
    keras.layers.SpatialDropout1D,
    *(getattr(keras.layers, name) for name in _RANDOM_PICTURES),
)
"""Layers that return their input unchanged outside of training."""
_MOVES_PIXELS = (keras.layers.Flatten, keras.layers.Reshape)
_WEIGHTED = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
"""Layers that a rescaling can be folded into."""
_TOLERANCE = 1e-3
"""Allowed difference between the logits before and after folding, relative to the largest logit; float32 rounding
makes about 1e-6."""


def load_model(path: Path, allow_code: bool = False) -> keras.Model:
    """Load ``model.keras`` of a run; code in it, such as that of a Lambda layer, is run only if that is allowed.

    Raises:
        RunError: Keras does not run on TensorFlow, or cannot load the model, or the model is no classifier of
            small grey pictures.
    """
    if keras.backend.backend() != "tensorflow":
        raise RunError(
            f"{path}: conversion needs Keras on TensorFlow, but KERAS_BACKEND is {keras.backend.backend()}: unset it"
        )
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=not allow_code)
    except (OSError, ValueError, TypeError, KeyError) as error:
        if "safe_mode" in str(error):
            raise RunError(
                f"{path}: holds a Lambda layer, whose code runs when it is loaded; if you trust it add --allow-code"
            ) from error
        raise RunError(
            f"{path}: Keras {keras.__version__} cannot load it ({first_line(error)}): train again"
        ) from error
    match model.input_shape, model.output_shape:
        case (None, int(height), int(width), 1), (None, int(classes)) if (
            all(SMALLEST <= side <= LARGEST for side in (height, width)) and FEWEST <= classes <= MOST
        ):
            return model
    raise RunError(
        f"{path}: a model of shapes {model.input_shape} and {model.output_shape}; a classifier has (None, H, W, 1) of "
        f"{SMALLEST} to {LARGEST} pixels a side and (None, k) of {FEWEST} to {MOST} classes"
    )


def inference_function(model: keras.Model) -> Any:
    """Return the function that is converted.

    It is a ``tf.function`` of float32 pictures ``(n, height, width, 1)`` in [0, 1] to logits. Every weight is a
    constant in it, so that converting it needs no variables and no SavedModel of them.
    """
    lean = inference_model(model)
    trainable = [variable.numpy() for variable in lean.trainable_variables]
    fixed = [variable.numpy() for variable in lean.non_trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])  # type: ignore[untyped-decorator]
    def infer(pictures: Any) -> Any:
        return lean.stateless_call(trainable, fixed, pictures, training=False)[0]

    return infer


def check_same(model: keras.Model, infer: Any, pictures: NDArray[np.uint8]) -> None:
    """Check that the function to be converted computes what the trained model does.

    Args:
        model: the trained model.
        infer: the function.
        pictures: to compare the logits on, shape ``(n, height, width)``.

    Raises:
        ModelError: some logits differ by more than rounding.
    """
    values = pixels(pictures)
    expected = np.asarray(model(values, training=False))
    difference = float(np.abs(np.asarray(infer(values)) - expected).max())
    if not difference <= _TOLERANCE * float(np.abs(expected).max()):
        raise ModelError(f"the logits differ by {difference:.3g} once the model is made ready for conversion")


def pixels(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures ``(n, height, width)`` as Keras takes them: pixel / 255, shape ``(n, height, width, 1)``."""
    return pictures[..., None].astype(np.float32) / np.float32(255)


def inference_model(model: keras.Model) -> keras.Model:
    """Return the network without `TRAINING_ONLY` layers and without standardization; it shares the other layers.

    A ``Rescaling`` of the input by scale ``s`` and offset ``o`` is folded into the first layer with weights ``w`` and
    bias ``b``: ``w · (s x + o) + b = (s w) · x + (b + o Σw)``. With an offset that is exact only where every weight
    meets a pixel, so a first convolution must be 'valid', with the raw picture padded in front of the rescaling.
    Padding as wide as that of 'same' becomes 'same' again, which needs no operator of its own. A rescaling that cannot
    be folded stays, as a multiplication and an addition.
    """
    whole = keras.Model(model.inputs[0], model.outputs[0])
    head = _find_head(whole)
    folded = head and _folded(head)
    absorbed = (head.rescaling, head.absorbed_padding) if head else ()

    def replaced(layer: Any) -> Any:
        return folded if head and layer is head.first else layer

    def called(layer: Any, *arguments: Any, **options: Any) -> Any:
        values = arguments[0]
        if layer in absorbed or isinstance(layer, TRAINING_ONLY):
            return values
        if isinstance(layer, _MOVES_PIXELS):
            # The layers of Keras keep the batch size, and so compute the shape at run time in three more operators.
            return keras.ops.reshape(values, (-1, *layer.compute_output_shape(values.shape)[1:]))
        return layer(*arguments, **options)

    return keras.models.clone_model(whole, clone_function=replaced, call_function=called)


@dataclass(frozen=True)
class _Head:
    """A standardized input and the layer that it goes into."""

    padding: Any
    """Pads the raw picture; None if nothing does."""
    rescaling: Any
    first: Any
    """Convolution, depthwise convolution or dense layer."""

    @property
    def absorbed_padding(self) -> Any:
        """``padding`` if it is that of a 'same' convolution, else None."""
        if self.padding is None or getattr(self.first, "padding", "same") != "valid":
            return None
        # Keras itself says what 'same' pads: under a kernel of ones every window of this picture has a sum of its own.
        shape = self.padding.input.shape[1:]
        picture = np.arange(1, math.prod(shape) + 1, dtype=np.float32).reshape(1, *shape)
        kernel = np.ones((*self.first.kernel_size, 1, 1), np.float32)
        padded, same = (
            np.asarray(keras.ops.conv(values, kernel, self.first.strides, padding))
            for values, padding in ((self.padding(picture), "valid"), (picture, "same"))
        )
        return self.padding if np.array_equal(padded, same) else None


def _find_head(model: keras.Model) -> _Head | None:
    """Return the head of a functional model; None if its input is not standardized, or not so that it can be folded."""
    rest = [layer for layer in _chain(model) if not isinstance(layer, (*TRAINING_ONLY, *_MOVES_PIXELS))]
    padding = rest.pop(0) if rest and isinstance(rest[0], keras.layers.ZeroPadding2D) else None
    if len(rest) < 2 or not isinstance(rest[0], keras.layers.Rescaling) or not isinstance(rest[1], _WEIGHTED):
        return None
    rescaling, first = rest[:2]
    if np.size(rescaling.scale) != 1 or np.size(rescaling.offset) != 1:
        return None
    pads = getattr(first, "padding", "valid") != "valid"
    # What 'same' pads is 0 behind the rescaling: in front of it that is 0, too, only without an offset.
    return None if pads and np.any(rescaling.offset) else _Head(padding, rescaling, first)


def _chain(model: keras.Model) -> Iterator[Any]:
    """Yield the layers behind the input, up to the first one whose output goes to several or to none."""
    layer = model.inputs[0]._keras_history.operation
    known = {id(each) for each in model.layers}
    while True:
        followers = [node.operation for node in layer._outbound_nodes if id(node.operation) in known]
        if len(followers) != 1 or len(followers[0]._inbound_nodes) != 1:
            return
        (layer,) = followers
        yield layer


def _folded(head: _Head) -> Any:
    """Return the first layer with the rescaling in its weights."""
    kernel, *rest = head.first.get_weights()
    # The weights that are summed into one output: of a depthwise kernel (height, width, in, multiplier) one square.
    depthwise = isinstance(head.first, keras.layers.DepthwiseConv2D)
    axes = (0, 1) if depthwise else tuple(range(kernel.ndim - 1))
    sums = kernel.sum(axis=axes, dtype=np.float64).reshape(-1)
    bias = rest[0] if rest else np.zeros(len(sums), np.float32)
    config = head.first.get_config() | {"use_bias": True}
    if head.absorbed_padding is not None:
        config["padding"] = "same"
    layer = type(head.first).from_config(config)
    layer.build(head.first.input.shape)
    layer.set_weights([kernel * np.float32(head.rescaling.scale), bias + float(head.rescaling.offset) * sums])
    return layer
