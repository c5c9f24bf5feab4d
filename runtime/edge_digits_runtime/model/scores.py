"""How the ten numbers of a network are read: as scores, which are probabilities up to a common factor."""

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.model.network import Tensor

# Ten values of a quantized softmax, each up to half a step of 1/256 off, sum up to one within 0.02.
_SUM_TOLERANCE = 0.03
# exp underflows at -745; the table of `_Table` must stay well above that at its lowest entry.
_WIDEST_TABLE = 600.0


class Decoder(Protocol):
    """Reads one output, or many; an answer is where the score is largest, its confidence that share of the sum."""

    def one(self, output: bytes) -> Sequence[float]:
        """Ten scores, each at least 0, of an output's bytes."""

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:
        """Weights of shape ``(10, n)`` of outputs of that shape, a column each, and the largest of each column."""


def decoder(output: Tensor, answers: NDArray[Any], temperature: float) -> Decoder:
    """Find out how ``output`` is to be read.

    A network that ends in a softmax must not be put through another. It is known by what it answers: ten values in
    [0, 1] that sum up to one, for every one of several pictures. That holds for float and quantized networks, and
    for those that are dequantized behind their softmax; ten logits that sum up to one time and again are no accident
    that happens.

    Args:
        output: the tensor.
        answers: what it gave for a few pictures that are unlike each other, shape ``(k, 10)``.
        temperature: what logits are divided by before softmax; probabilities are taken as they are.
    """
    values = answers.astype(np.float64)
    if output.scale:
        values = output.scale * (values - output.zero_point)
    sums_to_one = np.all(np.abs(values.sum(axis=1) - 1) < _SUM_TOLERANCE)
    if sums_to_one and values.min() >= 0 and values.max() <= 1:
        return _Probabilities(output)
    step = (output.scale or 1.0) / temperature
    if output.dtype.itemsize == 1 and step * 255 < _WIDEST_TABLE:
        return _Table(output.dtype, step)
    return _Logits(output.dtype, step)


class _Logits:
    """Logits in steps of ``step``; the score is the exponential of the distance to the largest."""

    def __init__(self, dtype: np.dtype[Any], step: float) -> None:
        self._dtype, self._step = dtype, step

    def one(self, output: bytes) -> Sequence[float]:
        values = np.frombuffer(output, self._dtype).tolist()
        top, step = max(values), self._step
        # Ten numbers are done sooner in Python than numpy has started.
        return [math.exp((value - top) * step) for value in values]

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:
        distance = columns.astype(np.float32) - largest
        scores: NDArray[np.float32] = np.exp(distance * np.float32(self._step))
        return scores


class _Table(_Logits):
    """As `_Logits` for outputs of one byte, of which there are only 256 scores to look up."""

    def __init__(self, dtype: np.dtype[Any], step: float) -> None:
        super().__init__(dtype, step)
        largest = np.iinfo(dtype).max
        values = np.arange(256, dtype=np.uint8).view(dtype).tolist()
        self._by_byte = [math.exp((value - largest) * step) for value in values]
        self._by_distance = np.exp(-step * np.arange(256)).astype(np.float32)

    def one(self, output: bytes) -> Sequence[float]:
        # All ten looked up in one call, which is a little faster than a loop.
        scores: tuple[float, ...] = itemgetter(*output)(self._by_byte)
        return scores

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:
        # Bytes wrap around, so the distance is right whatever their sign.
        scores: NDArray[np.float32] = self._by_distance.take(largest.view(np.uint8) - columns.view(np.uint8))
        return scores


class _Probabilities:
    """What a softmax within the network gave, quantized or not."""

    def __init__(self, output: Tensor) -> None:
        self._dtype, self._zero_point = output.dtype, output.zero_point

    def one(self, output: bytes) -> Sequence[float]:
        return [max(0.0, value - self._zero_point) for value in np.frombuffer(output, self._dtype).tolist()]

    def many(self, columns: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.float32]:  # noqa: ARG002
        scores: NDArray[np.float32] = np.maximum(columns.astype(np.float32) - self._zero_point, 0)
        return scores
