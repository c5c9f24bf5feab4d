"""Calibrate the confidence of a converted model: what its logits are divided by, and below what it is not sure."""

import math
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data import metrics, turns
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.model.classifier import DigitClassifier
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

LOWEST, HIGHEST = 0.05, 20.0
"""Range of the temperature. Where every answer is right the likelihood has no maximum, and the result is `LOWEST`."""
GIVEN_UP = 0.01
"""Share of the validation pictures that may be called not sure, for the sake of pictures that are of no class."""
SURE_TURN = 0.87
"""Smallest confidence of wheels and displays that is sure, see docs/research/meters.md. It is not a share of the
validation pictures: these are of a few meters only, and of four in a hundred of them would ask for 0.65 to 0.85, by
the seed of the training."""
ENOUGH = (0.5, 0.9)
"""Range of the smallest confidence that is sure. Below 0.5 an answer is as likely wrong as right; and a model that is
hardly ever in doubt must not give up pictures for nothing."""
_LEAST = 1e-12
"""Probability that stands for 0, whose logarithm is not a number."""
_PRECISION = 1e-5
"""Of the logarithm of the temperature: a relative step of 0.001 %."""


@dataclass(frozen=True)
class Confidence:
    """How a card turns logits into a confidence, rounded to the four decimals that it keeps."""

    temperature: float
    """Logits are divided by it before softmax."""
    min_confidence: float
    """Below this confidence, in [0, 1], an answer is not sure."""


def calibrate_confidence(
    classifier: DigitClassifier, validation: Split, classes: tuple[str, ...] = DIGIT_CLASSES
) -> Confidence:
    """Fit the temperature to validation pictures, and choose the smallest confidence that is sure on them.

    Args:
        classifier: the converted model.
        validation: pictures that it was not trained on, at least one.
        classes: names of its classes, which a model without a card does not know.
    """
    # A zero point of the output moves all logits alike, which softmax does not see.
    logits = classifier.outputs(validation.images) * np.float64(classifier.output_scale or 1)
    turning = turns.are_turns(classes)
    temperature = round(fit_temperature(logits, validation.labels, turning), 4)
    if turning:
        return Confidence(temperature, SURE_TURN)
    confidences = metrics.softmax(logits, temperature).max(axis=1)
    least = smallest_sure_confidence(confidences)
    # Rounded down, so that no more pictures are given up than were allowed.
    return Confidence(temperature, math.floor(1e4 * least) / 1e4)


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer], turning: bool = False) -> float:
    """Return the temperature in [`LOWEST`, `HIGHEST`] that makes the labels most likely.

    Temperature scaling after Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv:1706.04599). The
    negative log-likelihood is convex in 1 / temperature, so there is one minimum to find.

    Args:
        logits: shape ``(n, k)``, n ≥ 1. Log-probabilities do as well, since adding a number to a row changes nothing.
        labels: the true classes, shape ``(n,)``.
        turning: whether the classes are turns of a wheel; then it is the label and all within two tenths of it that are
            made most likely together, as the confidence of a turn is theirs.
    """

    def loss(logarithm: float) -> float:
        if turning:
            near = turns.confidence_scores(metrics.softmax(logits, math.exp(logarithm)).T, labels)
            return float(-np.log(np.maximum(near, _LEAST)).mean())
        return metrics.cross_entropy(labels, logits / math.exp(logarithm))

    bounds = math.log(LOWEST), math.log(HIGHEST)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _PRECISION})
    # Where every answer is right the loss is 0 in float64 from some temperature downwards.
    return LOWEST if loss(bounds[0]) <= found.fun else math.exp(found.x)


def smallest_sure_confidence(confidences: NDArray[np.floating]) -> float:
    """Return the confidence in `ENOUGH` below which at most `GIVEN_UP` of the answers lie, if `ENOUGH` allows it.

    Args:
        confidences: of the answers to validation pictures, calibrated, in [0, 1], shape ``(n,)``, n ≥ 1.
    """
    return float(np.clip(np.quantile(confidences, GIVEN_UP, method="lower"), *ENOUGH))
