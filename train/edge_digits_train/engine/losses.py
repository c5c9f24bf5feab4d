"""What a training minimizes, and which answers it counts as right."""

import functools
from typing import Any

from edge_digits_runtime.data import turns

from edge_digits_train.engine import teachers
from edge_digits_train.engine.keras_session import keras


class DistillationLoss(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of the labels' targets, mixed with that of the teachers' probabilities.

    Targets have shape ``(n, k)``, or ``(n, 2 k)`` with the probabilities of the teachers behind them. The teachers'
    part is computed on logits divided by their temperature, and multiplied by its square, which makes the gradients of
    both parts alike in size (Hinton et al. 2015, section 2).
    """

    def __init__(self, smoothing: float = 0.0, distillation: float = 0.0) -> None:
        """Take the recipe's ``label_smoothing`` and its ``distillation``, the teachers' share of the loss in [0, 1)."""
        super().__init__()
        self._smoothing, self._distillation = smoothing, distillation

    def call(self, y_true: Any, y_pred: Any) -> Any:
        entropy = functools.partial(keras.losses.categorical_crossentropy, from_logits=True)
        classes = y_pred.shape[-1]
        loss = entropy(y_true[:, :classes], y_pred, label_smoothing=self._smoothing)
        if not self._distillation:
            return loss
        of_teachers = entropy(y_true[:, classes:], y_pred / teachers.TEMPERATURE) * teachers.TEMPERATURE**2
        return (1 - self._distillation) * loss + self._distillation * of_teachers


class LabelAccuracy(keras.metrics.Mean):  # type: ignore[misc]
    """Share of the pictures that are answered right, in [0, 1]; outliers, which are of no class, do not count.

    Of turns, those are right that `edge_digits_runtime.data.turns.right` calls so.
    """

    def __init__(self, turning: bool = False) -> None:
        """Take whether the first hundred classes are turns."""
        super().__init__(name="accuracy")
        self._turning = turning

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # noqa: ARG002
        ops, classes = keras.ops, y_pred.shape[-1]
        labels = y_true[:, :classes]
        wanted, answer = (ops.cast(ops.argmax(each, axis=-1), "int32") for each in (labels, y_pred))
        right = wanted == answer
        if self._turning:
            away = ops.mod(wanted - answer + turns.NEAR, turns.COUNT)
            near = (away <= 2 * turns.NEAR) & (wanted < turns.COUNT) & (answer < turns.COUNT)
            right = right | near
        # The target of an outlier is the same for all classes.
        has_label = ops.max(labels, axis=-1) > 1.5 / classes
        super().update_state(ops.cast(right, "float32"), ops.cast(has_label, "float32"))
