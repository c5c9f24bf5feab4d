"""Whether a model knows when it is wrong: calibration, and accuracy against the share of pictures answered."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.records.evaluation import Evaluation
from numpy.typing import NDArray
from sklearn.metrics import log_loss

BINS = 15
WANTED_ACCURACY = 0.999
_CURVE_POINTS = 200


@dataclass(frozen=True)
class Bin:
    """The pictures that were answered with a confidence in ``(low, high]``."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence in [0, 1]; the middle of the bin where it is empty."""
    right: int
    """How many were answered right."""

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]; 0 where the bin is empty."""
        return self.right / self.count if self.count else 0.0


@dataclass(frozen=True)
class Curve:
    """Error against coverage: a point for each confidence below which no answer is given."""

    threshold: NDArray[np.float64]
    """Lowest confidence that is answered, falling, shape ``(n,)``."""
    answered: NDArray[np.int64]
    """How many pictures are answered then, shape ``(n,)``; the last is all of them."""
    wrong: NDArray[np.int64]
    """How many of these are answered wrong, shape ``(n,)``."""

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Share of pictures answered, in (0, 1], shape ``(n,)``."""
        shares: NDArray[np.float64] = self.answered / self.answered[-1]
        return shares

    @property
    def risk(self) -> NDArray[np.float64]:
        """Share of wrong answers among those given, in [0, 1], shape ``(n,)``."""
        shares: NDArray[np.float64] = self.wrong / self.answered
        return shares


@dataclass(frozen=True)
class Answered:
    """The most pictures that can be answered at a wanted accuracy."""

    accuracy: float
    """What was wanted, in (0, 1)."""
    coverage: float
    """Share of the pictures, in [0, 1]; 0 where even the surest answers are wrong too often."""
    threshold: float | None
    """The lowest confidence to answer at; None where ``coverage`` is 0."""


@dataclass(frozen=True)
class Confidence:
    """What the confidence of a model is worth."""

    bins: tuple[Bin, ...]
    """The reliability diagram: `BINS` of equal width over [0, 1]."""
    expected_calibration_error: float
    """In [0, 1], see `expected_calibration_error`."""
    log_loss: float
    """Mean negative log-likelihood of the true digit in nats."""
    curve: Curve
    """At most 200 points of `risk_against_coverage`."""
    answered: Answered
    """At an accuracy of 99.9 %."""


def judge(evaluation: Evaluation) -> Confidence:
    """Judge the confidence of one evaluation, which is the probability of its answer."""
    confidence = top_confidence(evaluation)
    right = evaluation.predicted == evaluation.labels
    bins = reliability_bins(confidence, right)
    curve = risk_against_coverage(confidence, right)
    probabilities = evaluation.probabilities.astype(np.float64)
    # They are stored with 5 decimals, so that a row may miss 1 by a little.
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Confidence(
        bins=bins,
        expected_calibration_error=expected_calibration_error(bins),
        log_loss=float(log_loss(evaluation.labels, probabilities, labels=range(probabilities.shape[1]))),
        curve=_thinned(curve),
        answered=most_answered(curve, WANTED_ACCURACY),
    )


def top_confidence(evaluation: Evaluation) -> NDArray[np.float64]:
    """The probability of each answer, in [0, 1], shape ``(n,)``."""
    top: NDArray[np.float64] = np.minimum(evaluation.probabilities.max(axis=1).astype(np.float64), 1.0)
    return top


def reliability_bins(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Sort answers into bins of equal width, each open below and closed above, as Guo et al. have them.

    Args:
        confidence: of each answer, in [0, 1], shape ``(n,)``.
        right: whether it is right, shape ``(n,)``.
        bins: how many.
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
    """Mean distance of accuracy and confidence, each bin weighted by its pictures; in [0, 1].

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    total = sum(b.count for b in bins)
    return math.fsum(b.count * abs(b.accuracy - b.confidence) for b in bins) / total


def risk_against_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Curve:
    """Answer only above a threshold, and lower that from the surest answer to the least sure one.

    El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11 (2010). Answers of equal
    confidence are given together, since no threshold tells them apart.

    Args:
        confidence: of each answer, in [0, 1], shape ``(n,)``.
        right: whether it is right, shape ``(n,)``.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    wrong = np.cumsum(~right[order], dtype=np.int64)
    last_of_equal = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    return Curve(falling[last_of_equal], last_of_equal + 1, wrong[last_of_equal])


def most_answered(curve: Curve, accuracy: float) -> Answered:
    """The point of ``curve`` that answers most pictures with at least ``accuracy`` of them right."""
    # The tolerance lets one error in 1,000 pass for 99.9 %, which 1 - 0.999 in binary just misses.
    enough = np.flatnonzero(curve.wrong <= (1 - accuracy) * curve.answered + 1e-9)
    if not len(enough):
        return Answered(accuracy, 0.0, None)
    best = enough[-1]
    return Answered(accuracy, float(curve.coverage[best]), float(curve.threshold[best]))


def _thinned(curve: Curve) -> Curve:
    """At most `_CURVE_POINTS` points, evenly taken, both ends included."""
    points = len(curve.answered)
    kept = np.unique(np.linspace(0, points - 1, min(points, _CURVE_POINTS)).round().astype(np.int64))
    return Curve(curve.threshold[kept], curve.answered[kept], curve.wrong[kept])
