"""Pictures with labels: one split of them, and a data set with the names of its classes."""

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data import turns
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.errors import DataError, UsageError
from edge_digits_runtime.image.model_input import INK, Input


@dataclass(frozen=True)
class Split:
    """Pictures of one split with their labels."""

    images: NDArray[np.uint8]
    """Shape ``(n, height, width)``. Of handwriting ``(n, 28, 28)``, 0 background, 255 ink."""
    labels: NDArray[Any]
    """Shape ``(n,)``: uint8, each an index into the classes of the data set, of digits the digit; of lines, the text
    that is written in each."""
    groups: NDArray[np.str_] | None = None
    """Name of the group of each picture, shape ``(n,)``: its writer, meter or display. None where none is known."""
    names: NDArray[np.str_] | None = None
    """What messages call each picture, shape ``(n,)``: its path within the data set, or where it was in an array that
    the split was taken from. None where its place in the split says it all."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: Any) -> "Split":
        """Return the pictures at ``which``: a slice, indices, or a mask of shape ``(n,)``."""
        groups, names = (None if each is None else each[which] for each in (self.groups, self.names))
        return Split(self.images[which], self.labels[which], groups, names)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The names of its groups, sorted; none where none is known."""
        return () if self.groups is None else tuple(np.unique(self.groups).tolist())


_LONGEST_PATTERN = 500


@dataclass(frozen=True)
class Grouping:
    """How pictures are put into groups, and which of these are for testing.

    Raises:
        UsageError: ``pattern`` is no regular expression, or has no group in parentheses.
    """

    pattern: str | None = None
    """Regular expression whose first group in parentheses, found in the path of a picture within its data set, is the
    group of the picture; None for what the data set itself says."""
    test: tuple[str, ...] = ()
    """Groups that are held out for testing; none for a seeded draw."""

    def __post_init__(self) -> None:
        if self.pattern is None:
            return
        if len(self.pattern) > _LONGEST_PATTERN:
            raise UsageError(f"a pattern of {len(self.pattern)} characters; allowed are {_LONGEST_PATTERN}")
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            raise UsageError(f"{self.pattern!r:.80} is no regular expression: {error}") from error
        if not groups:
            raise UsageError(f"{self.pattern!r:.80} says no group; put parentheses around it, as in '^([^_]+)_'")


NO_GROUPING = Grouping()


@dataclass(frozen=True)
class DataSet:
    """Training and test pictures of one source; validation is split off the training pictures by a recipe."""

    name: str
    """What reports call it, such as ``MNIST``."""
    train: Split
    """May be empty where only a test set was asked for."""
    test: Split
    classes: tuple[str, ...] = DIGIT_CLASSES
    """Names of the classes, 2 to 128; a label is an index into them. Of lines, the characters of their texts."""
    input: Input = INK
    """How the pictures became pixels."""
    grouping: Grouping = NO_GROUPING
    """How they were put into groups."""

    def with_labels(self, labels: Sequence[str]) -> "DataSet":
        """Return the same pictures with labels that are indices into ``labels``, the classes of a model.

        A data set may have fewer classes than the model: a test set of three of its letters, say. For a model of turns
        (`edge_digits_runtime.data.turns`) the digits of a data set are wheels that rest.

        Raises:
            DataError: it has a class that is not among them.
        """
        if tuple(labels) == self.classes:
            return self
        known = list(labels)
        if turns.are_turns(tuple(labels)) and not turns.are_turns(self.classes):
            known[: turns.COUNT] = [name.removesuffix(".0") for name in known[: turns.COUNT]]
        absent = [name for name in self.classes if name not in known]
        if absent:
            raise DataError(
                f"{self.name}: pictures of {_listed(absent)}, which the model does not know; "
                f"its classes are {_listed(labels)}"
            )
        if self.input.kind == "line":
            return dataclasses.replace(self, classes=tuple(labels))
        index = np.array([known.index(name) for name in self.classes], np.uint8)
        train, test = (dataclasses.replace(s, labels=index[s.labels]) for s in (self.train, self.test))
        return dataclasses.replace(self, train=train, test=test, classes=tuple(labels))


def nothing(form: Input = INK) -> Split:
    """Return a split without pictures."""
    return Split(np.zeros((0, *form.shape), np.uint8), np.zeros(0, np.uint8))


def digest(split: Split) -> str:
    """Hex sha256 of the image bytes and then the label bytes; of texts, each in UTF-8 and with a line end behind it."""
    content = hashlib.sha256(np.ascontiguousarray(split.images).data)
    if split.labels.dtype.kind == "U":
        content.update("".join(f"{text}\n" for text in split.labels.tolist()).encode())
    else:
        content.update(np.ascontiguousarray(split.labels).data)
    return content.hexdigest()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:10])} and {len(names) - 10} more"
