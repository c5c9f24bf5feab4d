"""Turn the numbers that a network gives into scores: numbers in proportion to the probabilities of the classes."""

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.model.network import Tensor

# Each value of a quantized softmax is up to half a step of 1/256 off: ten add up to one within 0.02.
_VALUE_TOLERANCE, _SUM_TOLERANCE = 1 / 512, 0.01
# exp underflows at -745; the lowest entry of the table of `_ByteLogits` must stay well above that.
_WIDEST_TABLE = 600.0


class Scorer(Protocol):
    """Turns outputs of one network into scores, each at least 0.

    The answer is the class with the largest score; its confidence is that score divided by the sum of all.
    """

    def one(self, output: bytes) -> Sequence[float]:
        """Return the scores of all k classes for the bytes of one output."""

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores of ``n`` outputs, shape ``(k, n)``.

        Args:
            columns: the outputs, shape ``(k, n)``, one to a column.
            largest: the largest number of each column, shape ``(n,)``.
        """


def make_scorer(output: Tensor, answers: NDArray[Any], temperature: float) -> Scorer:
    """Find out whether a network gives logits or probabilities, and return what turns them into scores.

    A network that ends in a softmax must not be put through another. It is recognized by its answers: if for each of
    several pictures the values are in [0, 1] and add up to one, they are probabilities. That holds for float and
    quantized networks, and for those that are dequantized behind their softmax. Logits do not add up to one for one
    picture after another by chance.

    Args:
        output: the output of the network.
        answers: what the network gave for a few pictures that are unlike each other, shape ``(pictures, k)``.
        temperature: logits are divided by it before softmax, > 0; probabilities are taken as they are.
    """
    values = answers.astype(np.float64)
    if output.scale:
        values = output.scale * (values - output.zero_point)
    tolerance = _SUM_TOLERANCE + _VALUE_TOLERANCE * values.shape[1]
    sums_to_one = np.all(np.abs(values.sum(axis=1) - 1) < tolerance)
    if sums_to_one and values.min() >= 0 and values.max() <= 1:
        return _Probabilities(output)
    step = (output.scale or 1.0) / temperature
    if output.dtype.itemsize == 1 and step * 255 < _WIDEST_TABLE:
        return _ByteLogits(output.dtype, step)
    return _Logits(output.dtype, step)


class _Logits:
    """Logits in steps of ``step``: the score is the exponential of the distance to the largest logit."""

    def __init__(self, dtype: np.dtype[Any], step: float) -> None:
        self._dtype, self._step = dtype, step

    def one(self, output: bytes) -> Sequence[float]:
        values = np.frombuffer(output, self._dtype).tolist()
        largest, step = max(values), self._step
        # Python has computed ten exponentials before numpy has started.
        return [math.exp((value - largest) * step) for value in values]

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:
        distance = columns.astype(np.float32) - largest
        scores: NDArray[np.float32] = np.exp(distance * np.float32(self._step))
        return scores


class _ByteLogits(_Logits):
    """Logits of one byte, which have only 256 values: the scores are looked up in a table."""

    def __init__(self, dtype: np.dtype[Any], step: float) -> None:
        super().__init__(dtype, step)
        largest = np.iinfo(dtype).max
        values = np.arange(256, dtype=np.uint8).view(dtype).tolist()
        self._by_byte = [math.exp((value - largest) * step) for value in values]
        self._by_distance = np.exp(-step * np.arange(256)).astype(np.float32)

    def one(self, output: bytes) -> Sequence[float]:
        # A list comprehension costs 5 % of a whole call with an MLP (benchmarks/speed/classifier.py).
        scores: tuple[float, ...] = itemgetter(*output)(self._by_byte)
        return scores

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:
        # Bytes wrap around, so the distance is right for signed and unsigned ones.
        scores: NDArray[np.float32] = self._by_distance.take(largest.view(np.uint8) - columns.view(np.uint8))
        return scores


class _Probabilities:
    """Probabilities from a softmax within the network, quantized or not."""

    def __init__(self, output: Tensor) -> None:
        self._dtype, self._zero_point = output.dtype, output.zero_point

    def one(self, output: bytes) -> Sequence[float]:
        return [max(0.0, value - self._zero_point) for value in np.frombuffer(output, self._dtype).tolist()]

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:  # noqa: ARG002
        scores: NDArray[np.float32] = np.maximum(columns.astype(np.float32) - self._zero_point, 0)
        return scores
