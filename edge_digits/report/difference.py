"""What a difference between two rows is made of: format, quantization, device."""

import itertools
from collections.abc import Sequence

import numpy as np

from edge_digits.report.paired import pair
from edge_digits.report.structure import FLOAT, INT8, KERAS, Row, Step

FORMAT, QUANTIZATION, DEVICE = "format", "quantization", "device"


def ways(rows: Sequence[Row]) -> tuple[tuple[Step, ...], ...]:
    """The ways from the first row to each int8 row, or to every other row where none is int8."""
    start, *others = rows
    targets = [row for row in others if row.scheme == INT8] or others
    return tuple(way(start, target, others) for target in targets)


def way(start: Row, target: Row, rows: Sequence[Row]) -> tuple[Step, ...]:
    """The steps from ``start`` to ``target`` over those of ``rows`` that stand between them.

    A row stands between them if its format, its quantization and its device are each that of the one or the other;
    of all ways on which every row shares more with the target than the one before, the longest is taken. So with
    the float32 ``.tflite`` at hand, format and quantization are told apart, and with it on both devices the device too.
    """
    wanted = frozenset(_place(target).items())
    differing = wanted - frozenset(_place(start).items())
    reached = {row.name: done for row in rows if (done := _reached(row, start, wanted)) is not None}
    # Of two equally long ways the one that changes the device first: what a device runs is what its owner compares.
    between = sorted(
        (row for row in rows if reached.get(row.name, frozenset()) and row is not target),
        key=lambda row: (row.scheme == target.scheme, _how(row) != _how(target)),
    )

    def longest(done: frozenset[tuple[str, str]]) -> list[Row]:
        found: list[Row] = []
        for row in between:
            if done < reached[row.name] < differing:
                rest = [row, *longest(reached[row.name])]
                found = max(found, rest, key=len)
        return found

    stops = [start, *longest(frozenset()), target]
    return tuple(step(before, after) for before, after in itertools.pairwise(stops))


def step(before: Row, after: Row) -> Step:
    """Compare two rows picture by picture and say what differs between them."""
    first, second = before.evaluation, after.evaluation
    return Step(
        before=before,
        after=after,
        causes=_causes(before, after),
        paired=pair(first.labels, first.predicted, second.predicted),
        largest_difference=float(np.abs(first.probabilities - second.probabilities).max()),
    )


def _causes(before: Row, after: Row) -> tuple[str, ...]:
    first, second = _place(before), _place(after)
    causes = [name for name in first if first[name] != second[name]]
    # Keras has a backend of another kind; that difference is the format's.
    if KERAS not in (before.scheme, after.scheme):
        causes += [name for name, one in _how(before).items() if one != _how(after)[name]]
    return tuple(causes)


def _reached(row: Row, start: Row, wanted: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]] | None:
    """What ``row`` has of the target and ``start`` has not; None if it has anything of neither."""
    place, origin = frozenset(_place(row).items()), frozenset(_place(start).items())
    return (place & wanted) - origin if place <= wanted | origin else None


def _place(row: Row) -> dict[str, str]:
    """Where a row stands in each of the three."""
    return {
        FORMAT: KERAS if row.scheme == KERAS else "tflite",
        QUANTIZATION: FLOAT if row.scheme == KERAS else row.scheme,
        DEVICE: row.device,
    }


def _how(row: Row) -> dict[str, object]:
    """How a ``.tflite`` was run."""
    return {name: row.evaluation.device.get(name) for name in ("backend", "threads")}
