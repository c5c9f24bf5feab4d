"""Keras, started in one place.

Everything here imports Keras from this module, so that what has to be set before its backend starts is set.
"""

import os

# Training must give the same bits again; on a GPU some kernels of TensorFlow and XLA do so only when asked.
os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras as keras
