"""Calibration and risk against coverage, worked out by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from edge_digits_runtime.records.evaluation import Evaluation
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from edge_digits.report.reliability import (
    BINS,
    expected_calibration_error,
    judge,
    most_answered,
    reliability_bins,
    risk_against_coverage,
)


def test_expected_calibration_error_by_hand() -> None:
    # Four answers of 0.95 with one wrong: |0.75 - 0.95| · 4/10. Six of 0.5 with three wrong: 0.
    confidence = np.array([0.95] * 4 + [0.5] * 6)
    right = np.array([True, True, True, False] + [True, False] * 3)
    bins = reliability_bins(confidence, right)
    assert len(bins) == BINS == 15
    assert expected_calibration_error(bins) == pytest.approx(0.08)
    assert [(k, b.count, b.right) for k, b in enumerate(bins) if b.count] == [(7, 6, 3), (14, 4, 3)]
    assert bins[0].accuracy == 0.0
    assert bins[0].confidence == pytest.approx(1 / 30)


@pytest.mark.parametrize(("confidence", "index"), [(0.0, 0), (0.2, 2), (0.2001, 3), (0.8, 11), (1.0, 14)])
def test_bins_are_open_below_and_closed_above(confidence: float, index: int) -> None:
    bins = reliability_bins(np.array([confidence]), np.array([True]))
    assert [k for k, b in enumerate(bins) if b.count] == [index]


def test_bins_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, 2000)
    right = rng.uniform(size=2000) < confidence
    filled = [b for b in reliability_bins(confidence, right) if b.count]
    accuracy, mean = calibration_curve(right, confidence, n_bins=BINS, strategy="uniform")
    assert [b.accuracy for b in filled] == pytest.approx(accuracy.tolist())
    assert [b.confidence for b in filled] == pytest.approx(mean.tolist())


def test_answers_of_equal_confidence_are_one_point_of_the_curve() -> None:
    curve = risk_against_coverage(np.array([0.9, 0.5, 0.9, 0.7, 0.9]), np.array([True, False, True, True, False]))
    assert curve.threshold.tolist() == [0.9, 0.7, 0.5]
    assert curve.answered.tolist() == [3, 4, 5]
    assert curve.wrong.tolist() == [1, 1, 2]
    assert curve.coverage.tolist() == [0.6, 0.8, 1.0]
    assert curve.risk.tolist() == pytest.approx([1 / 3, 1 / 4, 2 / 5])


@pytest.mark.parametrize(
    ("wrong_at", "coverage", "threshold"),
    [
        ([], 1.0, 0.5),
        ([999], 1.0, 0.5),  # one in 1,000 is 99.9 %
        ([998, 999], 0.998, 0.5 + 0.002 / 4),  # 998 and 999 answered have one wrong too many
        ([0, 999], 0.0, None),  # the most confident answer is wrong: 1 of at most 999
    ],
    ids=["none-wrong", "one-in-1000", "two-last", "most-confident-wrong"],
)
def test_most_pictures_that_can_be_answered_at_99_9_percent(
    wrong_at: list[int], coverage: float, threshold: float | None
) -> None:
    confidence = 0.5 + np.arange(1000, 0, -1) / 4000 - 1 / 4000
    right = np.ones(1000, bool)
    right[wrong_at] = False
    answered = most_answered(risk_against_coverage(confidence, right), 0.999)
    assert answered.coverage == coverage
    assert answered.threshold == (None if threshold is None else pytest.approx(threshold))


def test_reliability_of_an_evaluation(make_evaluation: Callable[..., Evaluation]) -> None:
    labels = [k % 10 for k in range(40)]
    answers = [*labels[:38], 0, 0]
    confidence = [0.999] * 30 + [0.7] * 10
    judged = judge(make_evaluation(labels, answers, confidence=confidence))
    # 30 right at 0.999 and 8 of 10 right at 0.7.
    assert judged.expected_calibration_error == pytest.approx((30 * 0.001 + 10 * 0.1) / 40, abs=1e-6)
    expected = np.full((40, 10), np.nan)
    for row, (answer, top) in enumerate(zip(answers, confidence, strict=True)):
        expected[row] = (1 - top) / 9
        expected[row, answer] = top
    assert judged.log_loss == pytest.approx(log_loss(labels, expected, labels=range(10)), rel=1e-5)
    assert judged.answered.coverage == 0.75
    assert judged.answered.threshold == pytest.approx(0.999)
    assert judged.curve.coverage.tolist() == [0.75, 1.0]


def test_a_long_curve_is_thinned_to_200_points_with_both_ends(make_evaluation: Callable[..., Evaluation]) -> None:
    confidence = np.linspace(0.2, 0.9, 5000)
    labels = np.arange(5000) % 10
    curve = judge(make_evaluation(labels, labels, confidence=confidence)).curve
    assert len(curve.coverage) == 200
    assert curve.answered[[0, -1]].tolist() == [1, 5000]
    assert np.all(np.diff(curve.coverage) > 0)
