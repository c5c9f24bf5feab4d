"""Reliability of the confidence of a model: calibration, and risk against coverage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.records.evaluation import Evaluation
from numpy.typing import NDArray
from sklearn.metrics import log_loss

BINS = 15
"""Number of bins of the reliability diagram."""
WANTED_ACCURACY = 0.999
"""Accuracy for which the report says how many pictures can be answered."""
_CURVE_POINTS = 200


@dataclass(frozen=True)
class Bin:
    """The pictures answered with a confidence in ``(low, high]``."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence in [0, 1]; the middle of the bin if it is empty."""
    right: int
    """Number of pictures answered right."""

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]; 0 if the bin is empty."""
        return self.right / self.count if self.count else 0.0


@dataclass(frozen=True)
class Curve:
    """Risk against coverage, with one point for each threshold below which no answer is given."""

    threshold: NDArray[np.float64]
    """Lowest confidence that is answered, in falling order, shape ``(n,)``."""
    answered: NDArray[np.int64]
    """Number of pictures answered at each threshold, shape ``(n,)``; the last is all of them."""
    wrong: NDArray[np.int64]
    """Number of these answered wrong, shape ``(n,)``."""

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Share of the pictures that are answered, in (0, 1], shape ``(n,)``."""
        shares: NDArray[np.float64] = self.answered / self.answered[-1]
        return shares

    @property
    def risk(self) -> NDArray[np.float64]:
        """Share of the given answers that are wrong, in [0, 1], shape ``(n,)``."""
        shares: NDArray[np.float64] = self.wrong / self.answered
        return shares


@dataclass(frozen=True)
class Answered:
    """The largest number of pictures that can be answered at a wanted accuracy."""

    accuracy: float
    """The wanted accuracy, in (0, 1)."""
    coverage: float
    """Share of the pictures, in [0, 1]; 0 if even the most confident answers are wrong too often."""
    threshold: float | None
    """The lowest confidence that is answered; None if ``coverage`` is 0."""


@dataclass(frozen=True)
class Reliability:
    """Reliability of the confidence of a model."""

    bins: tuple[Bin, ...]
    """The reliability diagram: `BINS` of equal width over [0, 1]."""
    expected_calibration_error: float
    """In [0, 1], see `expected_calibration_error`."""
    log_loss: float
    """Mean negative log-likelihood of the true class in nats; of lines, of the text being right or wrong."""
    curve: Curve
    """At most 200 points of `risk_against_coverage`."""
    answered: Answered
    """At an accuracy of 99.9 %."""


def judge(evaluation: Evaluation) -> Reliability:
    """Judge the confidence of one evaluation; the confidence of an answer is its probability."""
    confidence, right = evaluation.confidences, evaluation.right
    bins = reliability_bins(confidence, right)
    curve = risk_against_coverage(confidence, right)
    probabilities = evaluation.probabilities.astype(np.float64)
    if evaluation.of_lines:
        # Of all texts the probability of one is known: the outcome is whether it is the right one.
        outcomes, probabilities = right.astype(np.uint8), np.hstack([1 - probabilities, probabilities])
    else:
        outcomes = evaluation.labels
    # They are stored with 5 decimals, so the sum of a row is not exactly 1.
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Reliability(
        bins=bins,
        expected_calibration_error=expected_calibration_error(bins),
        log_loss=float(log_loss(outcomes, probabilities, labels=range(probabilities.shape[1]))),
        curve=_thinned(curve),
        answered=most_answered(curve, WANTED_ACCURACY),
    )


def reliability_bins(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Sort answers into bins of equal width, each open below and closed above, as Guo et al. do.

    Args:
        confidence: confidence of each answer, in [0, 1], shape ``(n,)``.
        right: whether each answer is right, shape ``(n,)``.
        bins: number of bins.
    """
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    sums = np.bincount(index, weights=confidence, minlength=bins)
    hits = np.bincount(index, weights=right, minlength=bins)
    return tuple(
        Bin(
            low=k / bins,
            high=(k + 1) / bins,
            count=int(counts[k]),
            confidence=float(sums[k] / counts[k]) if counts[k] else (k + 0.5) / bins,
            right=int(hits[k]),
        )
        for k in range(bins)
    )


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean distance of accuracy and confidence, each bin weighted by its pictures; in [0, 1].

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    total = sum(b.count for b in bins)
    return math.fsum(b.count * abs(b.accuracy - b.confidence) for b in bins) / total


def risk_against_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Curve:
    """Count the answers above a threshold, and the wrong ones among them, for every threshold.

    El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11 (2010). Answers of equal
    confidence form one point, since no threshold separates them.

    Args:
        confidence: confidence of each answer, in [0, 1], shape ``(n,)``.
        right: whether each answer is right, shape ``(n,)``.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    wrong = np.cumsum(~right[order], dtype=np.int64)
    last_of_equal = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    return Curve(falling[last_of_equal], last_of_equal + 1, wrong[last_of_equal])


def most_answered(curve: Curve, accuracy: float) -> Answered:
    """Return the point of ``curve`` that answers the most pictures with at least ``accuracy`` of them right."""
    # Without the tolerance one error in 1,000 would not count as 99.9 %, since 1 - 0.999 in binary is a bit too small.
    enough = np.flatnonzero(curve.wrong <= (1 - accuracy) * curve.answered + 1e-9)
    if not len(enough):
        return Answered(accuracy, 0.0, None)
    best = enough[-1]
    return Answered(accuracy, float(curve.coverage[best]), float(curve.threshold[best]))


def _thinned(curve: Curve) -> Curve:
    """Take at most `_CURVE_POINTS` points at equal distances, both ends included."""
    points = len(curve.answered)
    kept = np.unique(np.linspace(0, points - 1, min(points, _CURVE_POINTS)).round().astype(np.int64))
    return Curve(curve.threshold[kept], curve.answered[kept], curve.wrong[kept])
