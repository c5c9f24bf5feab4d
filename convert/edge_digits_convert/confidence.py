"""Two numbers of the card: what makes confidence honest, and how much of it is enough to be sure."""

import math

import numpy as np
from edge_digits_runtime.data import metrics
from numpy.typing import NDArray

LOWEST, HIGHEST = 0.05, 20.0
"""Range of the search. Where every answer is right the likelihood has no maximum, and the result is `LOWEST`."""
GIVEN_UP = 0.01
"""Share of the validation digits that may be called not sure, for the sake of pictures that are no digit."""
ENOUGH = (0.5, 0.9)
"""Range of the least confidence that is sure: what is as likely wrong as right is not, and a model that is hardly ever
in doubt must not give up digits for nothing."""
_GOLDEN = (math.sqrt(5) - 1) / 2
_PRECISION = 1e-4
"""Of the logarithm of the temperature: a relative step of 0.01 %."""


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature in [`LOWEST`, `HIGHEST`] that makes the labels most likely.

    Temperature scaling after Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv:1706.04599). The
    negative log-likelihood is convex in 1 / temperature, so a golden-section search over the logarithm finds its one
    minimum.

    Args:
        logits: shape ``(n, 10)``, n ≥ 1; log-probabilities do as well, since adding a number to a row changes nothing.
        labels: the true digits, shape ``(n,)``.
    """

    def loss(temperature: float) -> float:
        return metrics.cross_entropy(labels, logits / temperature)

    low, high = math.log(LOWEST), math.log(HIGHEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = (loss(math.exp(x)) for x in (left, right))
    while high - low > _PRECISION:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(math.exp(right))
    return math.exp((low + high) / 2)


def least_confidence(confidences: NDArray[np.floating]) -> float:
    """The confidence below which an answer is not sure: at most `GIVEN_UP` of these are, if `ENOUGH` allows it.

    Args:
        confidences: of the answers to validation pictures, calibrated, in [0, 1], shape ``(n,)``, n ≥ 1.
    """
    return float(np.clip(np.quantile(confidences, GIVEN_UP, method="lower"), *ENOUGH))
