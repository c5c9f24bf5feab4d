"""Keras, started quietly and in one place: the other modules import it from here."""

import functools
import gc

from edge_digits_runtime.native_stderr import quiet

with quiet():
    import keras as keras


@functools.cache
def devices() -> tuple[str, ...]:
    """Return the devices that Keras computes on, such as ``("gpu:0",)`` or ``("cpu:0",)``; GPUs come first.

    The first call starts the backend, and hides its long messages about GPUs that are not there. Call it before Keras
    computes anything.
    """
    with quiet():
        return tuple(keras.distribution.list_devices())


def forget() -> None:
    """Free what Keras keeps of every network that this process has built, some 50 MB each."""
    keras.utils.clear_session()
    gc.collect()
