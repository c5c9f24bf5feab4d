"""Figures of merit of answers, with numpy alone, so that the device computes them like the workstation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9


@dataclass(frozen=True)
class ClassMetrics:
    """Precision, recall and F1 of each class, float64 arrays of shape ``(k,)``, each value in [0, 1].

    A class that was never predicted has precision 0, one that never occurs has recall 0, as scikit-learn's
    ``zero_division=0`` has it.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]
    """How often each class occurs, shape ``(k,)``."""


def confusion_matrix(labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count answers: row is the true class, column the predicted one; int64 of shape ``(classes, classes)``."""
    # intp, since on a 32-bit system bincount refuses int64.
    pairs = labels.astype(np.intp) * classes + predicted.astype(np.intp)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def accuracy(labels: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the share of right answers (top-1), in [0, 1]; 0 for no pictures."""
    return float(np.mean(labels == predicted)) if len(labels) else 0.0


def cross_entropy(labels: NDArray[np.integer], logits: NDArray[np.floating]) -> float:
    """Return the mean of ``-log(probability of the label)`` in nats; 0 for no pictures. Logits are ``(n, k)``."""
    if not len(labels):
        return 0.0
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    right = shifted[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - right))


def class_metrics(confusion: NDArray[np.int64]) -> ClassMetrics:
    """Return precision, recall and F1 (their harmonic mean) of each class, from a confusion matrix ``(k, k)``."""
    hit = np.diag(confusion).astype(np.float64)
    support = confusion.sum(axis=1)
    precision = hit / np.maximum(confusion.sum(axis=0), 1)
    recall = hit / np.maximum(support, 1)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    return ClassMetrics(precision, recall, f1, support)


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return probabilities for logits of shape ``(..., k)``, divided by ``temperature`` first (Guo et al. 2017)."""
    scaled = logits.astype(np.float64) / temperature
    exponent = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = exponent / exponent.sum(axis=-1, keepdims=True)
    return result


def at_least(value: float, wanted: float) -> bool:
    """Return whether ``value`` reaches ``wanted``, apart from rounding: 97.60 % less 97.50 % is 0.10 pp and no more."""
    return value >= wanted - _ROUNDING
