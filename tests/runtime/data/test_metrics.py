"""Figures worked out by hand."""

import math

import numpy as np
import pytest
from edge_digits_runtime.data import metrics


def test_cross_entropy_of_known_probabilities() -> None:
    logits = np.log(np.array([[0.7, 0.1, *[0.025] * 8], [0.2, 0.4, *[0.05] * 8]]))
    expected = -(math.log(0.7) + math.log(0.05)) / 2
    assert metrics.cross_entropy(np.array([0, 9]), logits) == pytest.approx(expected)
    # Adding a number to a row changes nothing, however large the logits are.
    assert metrics.cross_entropy(np.array([0, 9]), logits + np.array([[2000.0], [-2000.0]])) == pytest.approx(expected)


def test_cross_entropy_of_an_answer_that_was_held_impossible_is_finite() -> None:
    logits = np.zeros((1, 10), np.float32)
    logits[0, 3] = 5000
    assert metrics.cross_entropy(np.array([7]), logits) == pytest.approx(5000)
    assert metrics.cross_entropy(np.array([], np.uint8), logits[:0]) == 0
