"""Several data sets as one: a small set of one's own mixed with a big one."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from edge_digits_runtime.data import npz
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.errors import DataError, UsageError

from edge_digits.data_sets import load_data
from edge_digits.formatting import counted

if TYPE_CHECKING:
    from edge_digits_runtime.image.model_input import Input

SHARE = 0.2
"""Share of the training pictures that come from the second set and those after it where nothing else is asked for."""
MOST = 100
"""Largest number of copies of a picture: a network learns the same few by heart, not what they show."""
_PARTS = 200
"""Groups that the pictures of a set without groups are put into: splitting whole groups takes time for each group."""
MIXED, TESTS = "mixed.npz", "tests"
"""The mixture, and the folder of the test pictures of each of its parts, in the folder of the run."""


@dataclass(frozen=True)
class Mixture:
    """Data sets, and how often the pictures of each are repeated in training."""

    parts: Sequence[DataSet]
    times: Sequence[int]

    @property
    def together(self) -> DataSet:
        """One data set; a picture and its copies are of one group, which no split parts."""
        first = self.parts[0]
        train = _joined(
            [_times(_grouped(p.train, p.name, "training"), n) for p, n in zip(self.parts, self.times, strict=True)]
        )
        test = _joined([_grouped(part.test, part.name, "test") for part in self.parts])
        name = " + ".join(
            f"{n} × {part.name}" if n > 1 else part.name for part, n in zip(self.parts, self.times, strict=True)
        )
        return DataSet(name, train, test, first.classes, first.input)

    def __str__(self) -> str:
        return ", ".join(
            f"{counted(len(part.train), 'training picture')} of {part.name}{f' {n} times' if n > 1 else ''}"
            for part, n in zip(self.parts, self.times, strict=True)
        )


def load(sources: Sequence[Path], form: "Input", share: float) -> Mixture:
    """Read data sets that are to be mixed.

    Args:
        sources: their paths, the big one first; ``mnist`` is the one that is packed here.
        form: how their pictures become pixels.
        share: of the training pictures that shall come from all but the first, in (0, 1).

    Raises:
        DataError: one cannot be read, or has a class that the first one does not have.
        UsageError: the same one twice.
    """
    if len(set(sources)) < len(sources):
        raise UsageError(f"--data: {', '.join(map(str, sources))} names one set twice")
    parts = [load_data(source, form) for source in sources]
    if len({part.name for part in parts}) < len(parts):
        parts = [dataclasses.replace(part, name=f"{part.name} {k}") for k, part in enumerate(parts, 1)]
    first, *others = parts
    # A few pictures of a new writer seldom show every class.
    others = [other.with_labels(first.classes) for other in others]
    few, many = sum(len(other.train) for other in others), len(first.train)
    if not few:
        raise DataError(f"{', '.join(other.name for other in others)}: no training pictures")
    times = min(MOST, max(1, round(share / (1 - share) * many / few)))
    return Mixture([first, *others], [1, *[times] * len(others)])


def save(mixture: Mixture, folder: Path) -> Path:
    """Write the mixture and the test pictures of each part into the folder of a run, and return its path.

    The run keeps what it was trained on: a set that is being collected grows, and what is held out of it changes.
    """
    for part in mixture.parts:
        npz.save_test(folder / TESTS / f"{_file_name(part.name)}.npz", part)
    path = folder / MIXED
    npz.save(path, mixture.together)
    return path.absolute()


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name.partition(" (")[0]).strip(".-") or "own"


def _grouped(split: Split, name: str, use: str) -> Split:
    """Return pictures whose groups no other part has; where none is known, they are parted evenly.

    Args:
        split: the pictures.
        name: of their data set.
        use: what they are for. Pictures without groups are in other ones for training than for testing.
    """
    own = split.groups
    if own is None:
        own = np.char.add(f"{use} ", (np.arange(len(split)) % _PARTS).astype(np.str_))
    return dataclasses.replace(split, groups=np.char.add(f"{name[:100]}: ", own))


def _times(split: Split, times: int) -> Split:
    return split.take(np.tile(np.arange(len(split)), times))


def _joined(splits: Sequence[Split]) -> Split:
    groups = [split.groups for split in splits if split.groups is not None]
    return Split(
        np.concatenate([split.images for split in splits]),
        np.concatenate([split.labels for split in splits]),
        np.concatenate(groups),
    )
