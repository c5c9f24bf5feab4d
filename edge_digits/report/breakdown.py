"""The breakdown of a difference between two rows into steps: format, quantization, device."""

import itertools
from collections.abc import Sequence

import numpy as np

from edge_digits.paired import pair
from edge_digits.report.structure import FLOAT, INT8, KERAS, Row, Step

FORMAT, QUANTIZATION, DEVICE = "format", "quantization", "device"
Properties = frozenset[tuple[str, str]]


def breakdowns(rows: Sequence[Row]) -> tuple[tuple[Step, ...], ...]:
    """Return the steps from the first row to each int8 row, or to every other row if none is int8."""
    start, *others = rows
    targets = [row for row in others if row.scheme == INT8] or others
    return tuple(breakdown(start, target, others) for target in targets)


def breakdown(start: Row, target: Row, rows: Sequence[Row]) -> tuple[Step, ...]:
    """Return the steps from ``start`` to ``target`` by way of the rows that lie between them.

    A row lies between them if its format, its quantization and its device are each either that of the start or that
    of the target. Each step has to bring at least one more property of the target; of all such sequences the longest
    is taken. So the float32 ``.tflite`` separates format from quantization, and where it was measured on both devices
    it separates the device, too.
    """
    wanted = frozenset(_properties(target).items())
    differing = wanted - frozenset(_properties(start).items())
    gained = {row.name: gain for row in rows if (gain := _gained(row, start, wanted)) is not None}
    # If two sequences are equally long, the one that changes the device first is taken: the owner of a device compares
    # what runs on it.
    between = sorted(
        (row for row in rows if gained.get(row.name, frozenset()) and row is not target),
        key=lambda row: (row.scheme == target.scheme, _settings(row) != _settings(target)),
    )

    def longest(so_far: Properties) -> list[Row]:
        found: list[Row] = []
        for row in between:
            if so_far < gained[row.name] < differing:
                rest = [row, *longest(gained[row.name])]
                found = max(found, rest, key=len)
        return found

    stops = [start, *longest(frozenset()), target]
    return tuple(step(before, after) for before, after in itertools.pairwise(stops))


def step(before: Row, after: Row) -> Step:
    """Compare two rows picture by picture and name what differs between them."""
    first, second = before.evaluation, after.evaluation
    return Step(
        before=before,
        after=after,
        causes=_causes(before, after),
        paired=pair(first.labels, first.predicted, second.predicted, first.classes),
        largest_difference=float(np.abs(first.probabilities - second.probabilities).max()),
    )


def _causes(before: Row, after: Row) -> tuple[str, ...]:
    first, second = _properties(before), _properties(after)
    causes = [name for name in first if first[name] != second[name]]
    # Keras always has another backend than a .tflite; that difference belongs to the format.
    if KERAS not in (before.scheme, after.scheme):
        causes += [name for name, value in _settings(before).items() if value != _settings(after)[name]]
    return tuple(causes)


def _gained(row: Row, start: Row, wanted: Properties) -> Properties | None:
    """Return the properties that ``row`` shares with the target but not with the start; None for any foreign one."""
    own, origin = frozenset(_properties(row).items()), frozenset(_properties(start).items())
    return (own & wanted) - origin if own <= wanted | origin else None


def _properties(row: Row) -> dict[str, str]:
    """Return format, quantization and device of a row."""
    return {
        FORMAT: KERAS if row.scheme == KERAS else "tflite",
        QUANTIZATION: FLOAT if row.scheme == KERAS else row.scheme,
        DEVICE: row.device,
    }


def _settings(row: Row) -> dict[str, object]:
    """Return how a ``.tflite`` was run."""
    return {name: row.evaluation.device.get(name) for name in ("backend", "threads")}
