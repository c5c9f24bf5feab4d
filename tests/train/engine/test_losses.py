"""Loss and accuracy, on answers that can be computed by hand."""

import numpy as np
import pytest
from edge_digits_runtime.data import metrics
from edge_digits_train.engine.epoch_data import label_targets
from edge_digits_train.engine.losses import DistillationLoss, LabelAccuracy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (5, 10)).astype(np.float32)
NO_DIGIT = 10
LABELS = np.array([3, 0, 9, NO_DIGIT, 5], np.uint8)
TEACHERS = metrics.softmax(RNG.normal(0, 3, (5, 10))).astype(np.float32)


def entropy(targets: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of each row."""
    return -(targets * np.log(metrics.softmax(logits))).sum(axis=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_the_labels(smoothing: float) -> None:
    loss = float(DistillationLoss(smoothing)(label_targets(LABELS, 10), LOGITS))
    targets = (1 - smoothing) * label_targets(LABELS, 10) + smoothing / 10
    assert loss == pytest.approx(entropy(targets, LOGITS).mean(), rel=1e-5)


def test_the_loss_with_teachers() -> None:
    targets = np.concatenate([label_targets(LABELS, 10), TEACHERS], axis=1)
    loss = float(DistillationLoss(0.0, 0.75)(targets, LOGITS))
    # At temperature 2 the part of the teachers is multiplied by 4.
    expected = 0.25 * entropy(label_targets(LABELS, 10), LOGITS) + 0.75 * 4 * entropy(TEACHERS, LOGITS / 2)
    assert loss == pytest.approx(expected.mean(), rel=1e-5)


def test_outliers_do_not_count_for_accuracy() -> None:
    accuracy = LabelAccuracy()
    answers = np.eye(10, dtype=np.float32)[[3, 0, 5, 5]]
    # Right, an outlier, right, wrong.
    accuracy.update_state(label_targets(np.array([3, NO_DIGIT, 5, 6], np.uint8), 10), answers)
    assert float(accuracy.result()) == pytest.approx(2 / 3)


def test_accuracy_looks_at_the_labels_and_not_at_the_teachers() -> None:
    accuracy = LabelAccuracy()
    teachers = np.eye(10, dtype=np.float32)[[1, 1]]
    targets = np.concatenate([label_targets(np.array([3, 4], np.uint8), 10), teachers], axis=1)
    accuracy.update_state(targets, np.eye(10, dtype=np.float32)[[3, 1]])
    assert float(accuracy.result()) == pytest.approx(0.5)
