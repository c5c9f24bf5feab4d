"""How arrays of pictures reach Keras in batches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures as the network takes them.

    Args:
        images: shape ``(n, height, width)``.

    Returns:
        Pixel / 255, in [0, 1], shape ``(n, height, width, 1)``.
    """
    # Divided in float32 and in place: a second array of 54,000 float pictures would be 170 MB.
    result = images[..., np.newaxis].astype(np.float32)
    result /= 255
    return result


def feed(batch_size: int, *arrays: NDArray[Any]) -> dict[str, Any]:
    """Return the arguments that make `keras.Model.fit`, `evaluate` and `predict` go through arrays in their order.

    Args:
        batch_size: pictures in a batch; the last batch may have fewer.
        arrays: the pictures, and for `fit` and `evaluate` their targets.
    """
    # Imported here: a command that never trains, since its recipe is unknown, must not wait seconds for Keras.
    from edge_digits_train.engine.keras_session import keras

    if keras.backend.backend() != "tensorflow":
        return dict(zip("xy", arrays, strict=False)) | {"batch_size": batch_size}

    import tensorflow as tf

    return {"x": without_autotune(tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size))}


def without_autotune(dataset: Any) -> Any:
    """Return a `tf.data.Dataset` without its autotuning thread.

    That thread sleeps for 10 ms, then for twice as long each time, and at the end of the pictures TensorFlow (2.21)
    waits until it wakes: up to as long as the epoch took.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
