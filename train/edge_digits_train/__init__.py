"""edge-digits train: recipes and their training.

The environment variables that a backend of Keras reads once, when it is imported, are set here. So they are set even
where another package imports TensorFlow before `edge_digits_train.engine.keras_session` does.
"""

import os
import platform
from pathlib import Path

# The same seed must give the same bits. On a CPU it does (tested); on a GPU some kernels of TensorFlow and XLA do so
# only when asked. On a CPU they are not asked, since TensorFlow then logs an error of 600 characters twice an epoch.
if Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists():
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")

# By itself TensorFlow uses the kernels of oneDNN only on x86 processors with AVX512-VNNI or the like (release notes of
# 2.9). On processors with AVX2 they are up to twice as fast as well, see docs/research/experiments.md.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
