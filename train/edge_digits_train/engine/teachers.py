"""Teachers: trained networks whose answers other networks learn beside the labels.

Distillation after G. Hinton, O. Vinyals, J. Dean 2015, "Distilling the Knowledge in a Neural Network"
(arXiv:1503.02531): several networks together are right more often than any of them, and their probabilities tell which
other digits a picture looks like. The teachers see the very picture that is learned, augmented as it is (Beyer et al.
2022, arXiv:2106.05237).

``teachers.npz`` holds the int8 flatbuffers of the recipes ``digits-m-alone`` and ``digits-l-alone``, three seeds each;
``benchmarks/packing/pack_teachers.py`` made it. None of them was trained on the pictures that a recipe holds out for
validation by default. int8 costs the answers nothing that matters here, and makes them several times as fast on a
processor: the answers of all six take about as long as training a network of 5,000 weights.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.data import metrics
from edge_digits_runtime.device import facts
from edge_digits_runtime.errors import DataError, ModelError
from edge_digits_runtime.library_errors import NUMPY
from edge_digits_runtime.mnist_format import DIGITS
from numpy.typing import NDArray

TEMPERATURE = 2.0
"""Logits are divided by it before softmax, which raises the probabilities of the digits that are not the likeliest."""
_PACKED = Path(__file__).with_name("teachers.npz")


@functools.cache
def load() -> Mapping[str, DigitClassifier]:
    """Return all teachers by the names of their runs, such as ``digits-m-alone-seed-0``.

    They run on all cores that this process may use.

    Raises:
        DataError: the packed file of this installation is missing or damaged.
        BackendError: no interpreter is installed.
    """
    try:
        with np.load(_PACKED) as packed:
            models = {name: packed[name].tobytes() for name in packed.files}
    except NUMPY as error:
        raise DataError(f"{_PACKED}: cannot be read ({error}): install edge-digits-train again") from error
    try:
        return {name: DigitClassifier(model, threads=facts.cores()) for name, model in models.items()}
    except ModelError as error:
        raise DataError(f"{_PACKED}: cannot be read ({error}): install edge-digits-train again") from error


def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean of the teachers' probabilities.

    Args:
        images: shape ``(n, 28, 28)``, 0 background, 255 ink.

    Returns:
        Probabilities at `TEMPERATURE`, shape ``(n, 10)``.
    """
    known = load().values()
    total = np.zeros((len(images), DIGITS))
    for teacher in known:
        total += metrics.softmax(teacher.outputs(images) * np.float64(teacher.output_scale), TEMPERATURE)
    return (total / len(known)).astype(np.float32)
