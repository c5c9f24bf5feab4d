"""The exponential moving average of the weights that the optimizers of Keras keep, as both trainers use it."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from edge_digits_train.engine.keras_session import keras


def fitted_momentum(momentum: float, steps: int) -> float:
    """Return the momentum of the average of the weights for a training of ``steps``, at most ``momentum``.

    An average remembers about ``1 / (1 - momentum)`` steps. Over ten times as many, what is left in it of the first
    weights is ``exp(-10)``, nothing; over fewer they would be mixed into the result: at 0.999, a half of them after 732
    steps. So a short training averages over its last tenth.
    """
    return max(0.0, min(momentum, 1 - 10 / steps))


def start_averages(optimizer: Any) -> None:
    """Let the averages start from the weights as they are, not from those that the optimizer was built with."""
    assign(optimizer._model_variables_moving_average, values_of(optimizer._trainable_variables))


def assign(variables: Sequence[Any], wanted: Sequence[NDArray[Any]]) -> None:
    """Give each variable of Keras its value."""
    for variable, value in zip(variables, wanted, strict=True):
        variable.assign(value)


def values_of(variables: Sequence[Any]) -> list[NDArray[Any]]:
    """Return copies of the values of variables of Keras; JAX hands the memory of a variable on to its next value."""
    return [keras.ops.convert_to_numpy(variable) for variable in variables]
