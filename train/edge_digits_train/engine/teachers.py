"""What networks that were trained before say of training pictures, for others to learn beside the labels.

Distillation after G. Hinton, O. Vinyals, J. Dean 2015, "Distilling the Knowledge in a Neural Network"
(arXiv:1503.02531): several networks together are right more often than any of them, and what they answer says of each
picture which other digits it looks like. They see the very picture that is learned, however it was changed (Beyer et
al. 2022, arXiv:2106.05237).

``teachers.npz`` holds the int8 flatbuffers of the recipes ``digits-m-alone`` and ``digits-l-alone``, three seeds each;
``benchmarks/packing/pack_teachers.py`` made it. All of them were trained without the pictures that a recipe holds out
for validation where it says nothing else. int8 costs the answers nothing that counts here, and on a processor it makes
them several times as fast: those of all six take about as long as training a network of 5,000 weights.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.device import facts
from edge_digits_runtime.errors import DataError, ModelError
from edge_digits_runtime.library_errors import NUMPY
from edge_digits_runtime.mnist_format import DIGITS
from numpy.typing import NDArray

TEMPERATURE = 2.0
"""What logits are divided by before softmax, so that there is more to see of the digits that are not the likeliest."""
_PACKED = Path(__file__).with_name("teachers.npz")


@functools.cache
def load() -> Mapping[str, DigitClassifier]:
    """All teachers by the names of their runs, such as ``digits-m-alone-seed-0``, on the cores of this process.

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
    """The mean of what the teachers answer: probabilities at `TEMPERATURE`, shape ``(n, 10)``.

    Args:
        images: shape ``(n, 28, 28)``, 0 background, 255 ink.
    """
    total = np.zeros((len(images), DIGITS), np.float32)
    for teacher in load().values():
        # Not `metrics.softmax`, which computes in float64: another rounding of what is learned would lead the same seed
        # to other weights than those that docs/research/frontier.json was measured with.
        steps = teacher.outputs(images).astype(np.float32)
        steps -= steps.max(axis=1, keepdims=True)
        weights = np.exp(steps * np.float32(teacher.output_scale / TEMPERATURE))
        total += weights / weights.sum(axis=1, keepdims=True)
    total /= len(load())
    return total
