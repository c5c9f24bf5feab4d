"""Keras, started in one place.

Everything here imports Keras from this module, so that what has to be set before its backend starts is set.
"""

import functools
import gc
import os
import platform
from pathlib import Path

from edge_digits_runtime.quiet import quiet

# The same seed must give the same bits. On a CPU it does (tested); on a GPU some kernels of TensorFlow and XLA do so
# only when asked. Not asked on a CPU, since TensorFlow then logs an error of 600 characters twice an epoch.
if Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists():
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")

# The kernels of oneDNN, which TensorFlow takes by itself only on x86 processors with AVX512-VNNI or the like (release
# notes of 2.9). With AVX2 alone they are up to twice as fast, see docs/frontier.md.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

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
