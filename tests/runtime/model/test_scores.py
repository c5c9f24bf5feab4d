"""Ten numbers read as probabilities, by hand-computed tables."""

from typing import Any

import numpy as np
import pytest
from edge_digits_runtime.data import metrics
from edge_digits_runtime.model.network import Tensor
from edge_digits_runtime.model.scores import Scorer, make_scorer
from numpy.typing import NDArray

LOGITS = np.array([[5, -3, 0, 1, 2, 3, 4, -5, -6, -7], [0] * 10], np.float64)


def output(dtype: type, scale: float = 0.0, zero_point: int = 0) -> Tensor:
    return Tensor(0, (1, 10), np.dtype(dtype), scale, zero_point)


def probabilities(scorer: Scorer, stored: NDArray[Any]) -> NDArray[np.float64]:
    """Both ways of reading, which must agree."""
    columns = np.ascontiguousarray(stored.T)
    many = scorer.many(columns, columns.max(axis=0)).T
    assert (many.dtype, many.shape) == (np.float32, stored.shape)
    one = np.array([scorer.one(row.tobytes()) for row in stored])
    assert one.min() >= 0
    shares: NDArray[np.float64] = one / one.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(many / many.sum(axis=1, keepdims=True), shares, rtol=1e-5, atol=1e-7)
    assert np.array_equal(many.argmax(axis=1), shares.argmax(axis=1))
    return shares


def test_two_logits_by_hand() -> None:
    # Steps of 0.5, temperature 2: q = 4 is a logit of 2 and counts as 1; e / (e + 9) = 0.231969.
    stored = np.array([[0, 4, 0, 0, 0, 0, 0, 0, 0, 0]], np.int8)
    scorer = make_scorer(output(np.int8, 0.5, 0), stored, temperature=2.0)
    assert probabilities(scorer, stored)[0].tolist() == pytest.approx([0.085337, 0.231969, *[0.085337] * 8], abs=1e-6)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [(np.float32, 0.0, 0), (np.int8, 0.1, 5), (np.int8, 0.1, -40), (np.uint8, 0.1, 128)],
)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_logits_of_every_type_go_through_softmax(
    dtype: type, scale: float, zero_point: int, temperature: float
) -> None:
    stored = (np.rint(LOGITS / scale) + zero_point if scale else LOGITS).astype(dtype)
    scorer = make_scorer(output(dtype, scale, zero_point), stored, temperature)
    np.testing.assert_allclose(probabilities(scorer, stored), metrics.softmax(LOGITS, temperature), rtol=1e-5)


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.int8, -128, 127), (np.uint8, 0, 255)])
@pytest.mark.parametrize("scale", [0.01, 2.0, 10.0])
def test_the_whole_range_of_a_byte_however_large_its_steps(dtype: type, low: int, high: int, scale: float) -> None:
    # With steps of 10 the exponentials of a table by value would underflow where all ten values are low.
    stored = np.array([[low, low, low + 1, *[low] * 7], [high, low, low + 9, *[low] * 7]], dtype)
    scorer = make_scorer(output(dtype, scale, 0), stored, 1.0)
    np.testing.assert_allclose(
        probabilities(scorer, stored), metrics.softmax(stored.astype(np.float64) * scale), rtol=1e-4, atol=1e-30
    )


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"), [(np.float32, 0.0, 0), (np.int8, 1 / 256, -128), (np.uint8, 1 / 256, 0)]
)
def test_probabilities_are_not_put_through_another_softmax(dtype: type, scale: float, zero_point: int) -> None:
    # Of nine values of 1/90, each stored as 3/256, the sum is a little off one.
    values = np.array([[0.9, *[0.1 / 9] * 9], [0.5, 0.5, *[0.0] * 8]])
    stored = (np.clip(np.rint(values / scale), 0, 255) + zero_point if scale else values).astype(dtype)
    scorer = make_scorer(output(dtype, scale, zero_point), stored, temperature=3.0)
    np.testing.assert_allclose(probabilities(scorer, stored), values, atol=0.01)


@pytest.mark.parametrize(
    "answers",
    [
        # Sum up to one, but not all of them lie in [0, 1].
        [[2.0, -1.0, *[0.0] * 8]],
        # One of two does not sum up to one.
        [[1.0, *[0.0] * 9], [0.5, *[0.0] * 9]],
        # In [0, 1], but sum up to 1.2.
        [[0.12] * 10],
    ],
)
def test_logits_that_look_like_probabilities_in_part(answers: list[list[float]]) -> None:
    stored = np.array(answers, np.float32)
    shares = probabilities(make_scorer(output(np.float32), stored, 1.0), stored)
    np.testing.assert_allclose(shares, metrics.softmax(stored), rtol=1e-5)


def test_of_equal_logits_all_are_equally_likely() -> None:
    stored = np.zeros((1, 10), np.int8)
    assert probabilities(make_scorer(output(np.int8, 0.1), stored, 1.0), stored)[0].tolist() == pytest.approx(
        [0.1] * 10
    )
