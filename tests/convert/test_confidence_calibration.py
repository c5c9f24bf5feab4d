"""The temperature and the smallest sure confidence, on answers whose best values are known."""

import math
from typing import cast

import numpy as np
import pytest
from edge_digits_convert.confidence_calibration import (
    HIGHEST,
    LOWEST,
    SURE_TURN,
    calibrate_confidence,
    fit_temperature,
    smallest_sure_confidence,
)
from edge_digits_runtime.data import metrics, turns
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_train.recipes.recipe import METER_CLASSES
from numpy.typing import NDArray


def two_way(margin: float, right: int, wrong: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Pictures with two possible answers, ``margin`` apart in logits; ``right`` of them have the likelier label."""
    logits = np.full((right + wrong, 10), -1e6)
    logits[:, 3], logits[:, 8] = margin, 0
    return logits, np.array([3] * right + [8] * wrong)


@pytest.mark.parametrize(
    ("margin", "right", "wrong"),
    [
        (4.0, 9, 1),  # overconfident: confidence 98.2 %, 90 % right
        (1.0, 99, 1),  # underconfident: confidence 73 %, 99 % right
        (2.0, 60, 40),
        (math.log(3), 3, 1),  # confidence 75 %, 75 % right: T = 1
    ],
)
def test_the_fitted_confidence_is_the_share_of_right_answers(margin: float, right: int, wrong: int) -> None:
    # The likelihood is largest where sigmoid(margin / T) = right / (right + wrong), so T = margin / log(right / wrong).
    temperature = fit_temperature(*two_way(margin, right, wrong))
    assert temperature == pytest.approx(margin / math.log(right / wrong), rel=1e-3)


def test_scaling_the_logits_scales_the_temperature() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 3, (2000, 10))
    labels = np.array([rng.choice(10, p=row) for row in metrics.softmax(logits, 1.7)])
    fitted = fit_temperature(logits, labels)
    assert fitted == pytest.approx(1.7, rel=0.05)
    assert fit_temperature(logits * 2, labels) == pytest.approx(2 * fitted, rel=1e-3)
    assert fit_temperature(np.log(metrics.softmax(logits)), labels) == pytest.approx(fitted, rel=1e-3)
    for other in (fitted * 0.98, fitted * 1.02):
        assert metrics.cross_entropy(labels, logits / other) > metrics.cross_entropy(labels, logits / fitted)


@pytest.mark.parametrize(("right", "wrong", "end"), [(20, 0, LOWEST), (0, 20, HIGHEST)])
def test_the_search_ends_at_its_limit_where_all_answers_are_right_or_wrong(right: int, wrong: int, end: float) -> None:
    assert fit_temperature(*two_way(3.0, right, wrong)) == pytest.approx(end, rel=1e-3)


@pytest.mark.parametrize(
    ("doubtful", "least"),
    [
        ([0.3, 0.4, 0.5, 0.55, 0.58, 0.6, 0.62, 0.64, 0.66, 0.68, 0.71], 0.71),  # ten of 1,001 are below it
        ([0.3, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.39, 0.4], 0.5),
        ([], 0.9),
    ],
)
def test_at_most_one_digit_in_100_is_not_sure(doubtful: list[float], least: float) -> None:
    confidences = np.array(doubtful + [0.999] * (1001 - len(doubtful)))
    np.random.default_rng(0).shuffle(confidences)
    assert smallest_sure_confidence(confidences) == pytest.approx(least)
    if least > 0.5:
        assert (confidences < least).mean() <= 0.01


def test_the_temperature_of_turns_makes_their_confidence_right() -> None:
    # Logits of a bell on the circle, whose answers are within two tenths of the label for nine of ten.
    away = np.arange(100)
    bell = -0.5 * (np.minimum(away, 100 - away) / 1.5) ** 2
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 100, 2000)
    answers = (labels + np.where(rng.random(2000) < 0.9, rng.integers(-2, 3, 2000), 10)) % 100
    logits = np.stack([np.append(np.roll(3 * bell, answer), [-60.0, -60.0]) for answer in answers])
    temperature = fit_temperature(logits, labels, turning=True)
    shares = metrics.softmax(logits, temperature)

    def loss(at: float) -> float:
        return float(-np.log(turns.confidence_scores(metrics.softmax(logits, at).T, labels)).mean())

    assert loss(temperature) < min(loss(temperature * 0.9), loss(temperature * 1.1))
    assert temperature > fit_temperature(logits[:, :100], answers)
    assert turns.confidence_scores(shares.T, answers).mean() < 0.95


def test_a_turn_is_sure_from_a_confidence_that_no_validation_picture_moves() -> None:
    class Answers:
        output_scale = 0.5

        def __init__(self, doubtful: int) -> None:
            self._doubtful = doubtful

        def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.int8]:
            logits = np.full((len(images), 102), -20, np.int8)
            logits[:, 34] = 20
            # Of these, another digit is as likely.
            logits[: self._doubtful, 84] = 20
            return logits

    validation = Split(np.zeros((50, 28, 28), np.uint8), np.full(50, 34, np.uint8))
    for doubtful in (0, 5):
        answers = cast(DigitClassifier, Answers(doubtful))
        assert calibrate_confidence(answers, validation, METER_CLASSES).min_confidence == SURE_TURN
        assert calibrate_confidence(answers, validation).min_confidence != SURE_TURN
