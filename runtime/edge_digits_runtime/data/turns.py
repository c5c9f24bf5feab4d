"""Classes that say how far the wheel of a meter has turned.

A wheel at 3.4 is on its way from 3 to 4. A model whose first hundred classes are named `TENTHS`, ``0.0`` to ``9.9``,
answers with such a turn; further classes, such as ``blank`` and ``minus``, are plain names. Nothing else has to be said
of it: the names of the classes are the contract, in a data set, a run, a card and an evaluation alike.

A turn lies on a circle, 9.9 beside 0.0. What it shows is the nearest digit: 3.4 is a 3, 3.5 a 4, and 9.6 a 0.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.classes import DIGIT_CLASSES

TENTHS = tuple(f"{digit}.{tenth}" for digit in range(10) for tenth in range(10))
"""Names of the turns, in the order of the outputs."""
COUNT = len(TENTHS)
REACH = 2
"""The confidence of a turn is the probability of all that are so many tenths from it or nearer."""
NEAR = 1
"""A turn that is so many tenths from the labelled one, or nearer, is right: labels are off by a tenth themselves."""
RESTING = (0, 1, 9)
"""Tenths at which a wheel rests; at 9 it shows the next digit."""


@functools.lru_cache(maxsize=64)
def are_turns(names: tuple[str, ...]) -> bool:
    """Whether the classes ``names`` begin with turns."""
    return names[:COUNT] == TENTHS


def digit_of(tenths: int) -> int:
    """Return the digit, 0-9, that is nearest to a turn of 0 to 99 tenths.

    Example:
        >>> [digit_of(tenths) for tenths in (34, 35, 96)]
        [3, 4, 0]
    """
    return (tenths + 5) // 10 % 10


@functools.lru_cache(maxsize=64)
def shown(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what answers are called: of classes that begin with turns the ten digits and the plain names, else all."""
    return (*DIGIT_CLASSES, *names[COUNT:]) if are_turns(names) else names


@functools.lru_cache(maxsize=64)
def shown_index(names: tuple[str, ...]) -> NDArray[np.intp]:
    """Return for each class its index into `shown`, shape ``(k,)``."""
    if not are_turns(names):
        return np.arange(len(names))
    digits = [digit_of(tenths) for tenths in range(COUNT)]
    return np.array([*digits, *range(10, 10 + len(names) - COUNT)], np.intp)


def shown_shares(probabilities: NDArray[Any], names: tuple[str, ...]) -> NDArray[Any]:
    """Return the probabilities of what `shown` names, shape ``(n, s)``, of those of all classes, ``(n, k)``."""
    if not are_turns(names):
        return probabilities
    shares = np.zeros((len(probabilities), len(shown(names))), probabilities.dtype)
    np.add.at(shares.T, shown_index(names), probabilities.T)
    return shares


def confidence_score(scores: Sequence[float], index: int) -> float:
    """Return the sum of the scores of a turn and of those within `REACH` of it; the score of a plain class alone."""
    if index >= COUNT:
        return scores[index]
    return sum(scores[(index + step) % COUNT] for step in range(-REACH, REACH + 1))


def confidence_scores(scores: NDArray[Any], indices: NDArray[Any]) -> NDArray[Any]:
    """Return what `confidence_score` does for many pictures.

    Args:
        scores: shape ``(k, n)``.
        indices: of the answers, shape ``(n,)``.
    """
    index = indices.astype(np.intp)
    turned = index < COUNT
    steps = np.arange(-REACH, REACH + 1)[:, None] * turned
    near = np.where(turned, (index + steps) % COUNT, index)
    found = np.take_along_axis(scores, near, axis=0)
    result: NDArray[Any] = np.where(turned, found.sum(axis=0), found[0])
    return result


def apart(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.intp]:
    """Return how many tenths two turns are apart on the circle, 0 to 50; of plain classes 0 if equal, else 100.

    Args:
        first: classes of shape ``(n,)``, as indices.
        second: likewise.

    Example:
        >>> apart(np.array([99, 34, 100, 100]), np.array([1, 37, 100, 0])).tolist()
        [2, 3, 0, 100]
    """
    one, other = first.astype(np.intp), second.astype(np.intp)
    along = (one - other) % COUNT
    circular = np.minimum(along, COUNT - along)
    plain = (one >= COUNT) | (other >= COUNT)
    return np.where(plain, np.where(one == other, 0, COUNT), circular)


def right(labels: NDArray[Any], predicted: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which answers are right, shape ``(n,)``: the very class, or a turn within `NEAR` of the label's."""
    found: NDArray[np.bool_] = apart(labels, predicted) <= NEAR if are_turns(names) else labels == predicted
    return found


def figures(
    labels: NDArray[Any], predicted: NDArray[Any], sure: NDArray[np.bool_], names: tuple[str, ...]
) -> dict[str, int]:
    """Count how well wheels and displays were read, as `edge_digits_runtime.records.timings.TurnFigures`.

    Args:
        labels: classes, shape ``(n,)``.
        predicted: the answers, likewise.
        sure: which answers are sure, shape ``(n,)``.
        names: of the classes, which begin with turns.
    """
    index = shown_index(names)
    digit, resting, wheels = index[labels] == index[predicted], rests(labels), labels < COUNT
    return {
        "resting": int(resting.sum()),
        "resting_right": int((resting & digit).sum()),
        "resting_sure": int((resting & sure).sum()),
        "resting_sure_wrong": int((resting & sure & ~digit).sum()),
        "wheels": int(wheels.sum()),
        "wheels_near": int((wheels & right(labels, predicted, names)).sum()),
    }


def rests(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels are turns of a wheel that rests, see `RESTING`, shape ``(n,)``."""
    found: NDArray[np.bool_] = (labels < COUNT) & np.isin(labels % 10, RESTING)
    return found
