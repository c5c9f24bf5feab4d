"""Keras, started in one place.

Everything here imports Keras from this module, which starts it without a word.
"""

import functools
import gc

from edge_digits_runtime.native_stderr import quiet

with quiet():
    import keras as keras


@functools.cache
def devices() -> tuple[str, ...]:
    """What Keras computes on, such as ``("gpu:0",)`` or ``("cpu:0",)``; GPUs come first.

    The first call starts the backend, which says much about GPUs that are not there; so that it comes before anything
    else is computed.
    """
    with quiet():
        return tuple(keras.distribution.list_devices())


def forget() -> None:
    """Give back what Keras keeps of every network that this process has built, some 50 MB each."""
    keras.utils.clear_session()
    gc.collect()
