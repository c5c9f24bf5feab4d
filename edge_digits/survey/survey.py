"""What a data set holds: pictures by class and group, sizes, equal pictures, labels that disagree, and leaks."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data.datasets import DataSet, Split
from edge_digits_runtime.data.duplicates import NEARLY, Nearest, equal_sets, flat, nearest
from edge_digits_runtime.data.npz import picture_size
from edge_digits_runtime.image.model_input import Input
from numpy.typing import NDArray

SPLITS = ("train", "test")
"""Validation is part of ``train``: a recipe says which pictures it holds out."""


@dataclass(frozen=True)
class Place:
    """Where a picture is in a data set."""

    split: str
    """``train`` or ``test``."""
    index: int
    """Within its split, from 0."""
    name: str | None
    """Its path within a folder, or its index in an array that was split; None where the split's own index says it."""
    label: str
    group: str | None

    def __str__(self) -> str:
        """Return what a message calls it, such as ``test A/ann-1.png (A)``."""
        group = "" if self.group is None else f", {self.group}"
        return f"{self.split} {self.index if self.name is None else self.name} ({self.label}{group})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        found = {"split": self.split, "index": self.index, "name": self.name, "label": self.label, "group": self.group}
        return {key: value for key, value in found.items() if value is not None}


@dataclass(frozen=True)
class Match:
    """A picture and the one of another split, group or class that is most like it."""

    picture: Place
    other: Place
    correlation: float
    """Of their grey levels, `edge_digits_runtime.data.duplicates.NEARLY` to 1."""
    equal: bool
    """Whether all pixels are the same."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "picture": self.picture.to_dict(),
            "other": self.other.to_dict(),
            "correlation": round(self.correlation, 4),
            "equal": self.equal,
        }


@dataclass(frozen=True)
class Group:
    """How many pictures a group has."""

    name: str
    train: int
    test: int
    by_class: tuple[int, ...]
    """In the order of the classes, of both splits."""


@dataclass(frozen=True)
class Survey:
    """What `survey` found."""

    name: str
    classes: tuple[str, ...]
    input: Input
    counts: dict[str, tuple[int, ...]]
    """Pictures by class, for each of `SPLITS`."""
    groups: tuple[Group, ...]
    """The largest first; none where no groups are known."""
    sizes: tuple[tuple[int, int, int], ...]
    """Width and height of the pictures as they are stored, and how many have them; the most frequent first."""
    blank: tuple[Place, ...]
    """Pictures of one grey, in which there is nothing to see. They are not compared with others."""
    equal: tuple[tuple[Place, ...], ...]
    """Sets of equal pictures."""
    alike: tuple[Match, ...]
    """Pictures that are equal or nearly equal to any other."""
    disagreeing: tuple[Match, ...]
    """Pictures that are equal or nearly equal to one of another class."""
    across_splits: tuple[Match, ...]
    """Test pictures that are equal or nearly equal to one for training: a leak."""
    across_groups: tuple[Match, ...]
    """Pictures that are equal or nearly equal to one of another group."""
    images: NDArray[np.uint8]
    """All pictures as a model takes them, ``train`` and then ``test``; shape ``(n, height, width)``."""
    labels: NDArray[np.uint8]
    """The class of each of them, shape ``(n,)``."""

    @property
    def total(self) -> int:
        """Number of pictures."""
        return sum(sum(counts) for counts in self.counts.values())

    def image(self, place: Place) -> NDArray[np.uint8]:
        """Return the pixels of a picture, shape ``(height, width)``."""
        pixels: NDArray[np.uint8] = self.images[
            place.index + (sum(self.counts["train"]) if place.split == "test" else 0)
        ]
        return pixels

    def to_dict(self) -> dict[str, Any]:
        """Return all but the pictures as JSON-ready values."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "input": {"kind": self.input.kind, "height": self.input.height, "width": self.input.width},
            "counts": {split: list(counts) for split, counts in self.counts.items()},
            "groups": {
                group.name: {"train": group.train, "test": group.test, "by_class": list(group.by_class)}
                for group in self.groups
            },
            "sizes": [{"width": width, "height": height, "pictures": count} for width, height, count in self.sizes],
            "blank": [place.to_dict() for place in self.blank],
            "equal": [[place.to_dict() for place in places] for places in self.equal],
            "nearly_equal_from": NEARLY,
            "alike": [match.to_dict() for match in self.alike],
            "disagreeing": [match.to_dict() for match in self.disagreeing],
            "across_splits": [match.to_dict() for match in self.across_splits],
            "across_groups": [match.to_dict() for match in self.across_groups],
        }


def survey(dataset: DataSet, source: Path | None, progress: Callable[[int, int], None] | None = None) -> Survey:
    """Look at all pictures of a data set and compare each with all others.

    Args:
        dataset: what is looked at, as pixels that a model takes.
        source: the file or folder that it is from; None for MNIST.
        progress: ``progress(done, length)`` in pictures.
    """
    splits = {"train": dataset.train, "test": dataset.test}
    images = np.concatenate([split.images for split in splits.values()])
    labels = np.concatenate([split.labels for split in splits.values()])
    places = _Places(splits, dataset.classes)
    parts = {"split": np.repeat([0, 1], [len(split) for split in splits.values()]), "label": labels}
    parts["picture"] = np.arange(len(images))
    groups = places.groups
    if groups is not None:
        parts["group"] = np.unique(groups, return_inverse=True)[1]
    found = dict(zip(parts, nearest(images, list(parts.values()), progress), strict=True))
    test_only = found["split"].found[found["split"].found >= len(dataset.train)]
    return Survey(
        name=dataset.name,
        classes=dataset.classes,
        input=dataset.input,
        counts={name: _by_class(split.labels, dataset.classes) for name, split in splits.items()},
        groups=_groups(splits, dataset.classes),
        sizes=_sizes(source, splits),
        blank=tuple(places[i] for i in np.flatnonzero(flat(images)).tolist()),
        equal=tuple(tuple(places[i] for i in indices) for indices in equal_sets(images)),
        alike=_matches(images, places, found["picture"], _once(found["picture"])),
        disagreeing=_matches(images, places, found["label"], _once(found["label"])),
        across_splits=_matches(images, places, found["split"], test_only),
        across_groups=_matches(images, places, found["group"], _once(found["group"])) if "group" in found else (),
        images=images,
        labels=labels,
    )


class _Places:
    """The places of all pictures, ``train`` and then ``test``."""

    def __init__(self, splits: dict[str, Split], classes: Sequence[str]) -> None:
        self._splits, self._classes = splits, classes

    @property
    def groups(self) -> NDArray[np.str_] | None:
        """The group of each picture; None where none is known."""
        known = [split.groups for split in self._splits.values() if len(split)]
        if any(groups is None for groups in known):
            return None
        return np.concatenate([groups for groups in known if groups is not None])

    def __getitem__(self, index: int) -> Place:
        train = len(self._splits["train"])
        name, inside = ("train", index) if index < train else ("test", index - train)
        split = self._splits[name]
        return Place(
            split=name,
            index=inside,
            name=None if split.names is None else str(split.names[inside]),
            label=self._classes[split.labels[inside]],
            group=None if split.groups is None else str(split.groups[inside]),
        )


def _by_class(labels: NDArray[np.uint8], classes: Sequence[str]) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=len(classes)).tolist())


def _groups(splits: dict[str, Split], classes: Sequence[str]) -> tuple[Group, ...]:
    names = {name for split in splits.values() for name in split.group_names}
    counts = {
        name: [_by_class(split.labels[split.groups == name], classes) for split in splits.values()] for name in names
    }
    found = [
        Group(name, sum(train), sum(test), tuple(a + b for a, b in zip(train, test, strict=True)))
        for name, (train, test) in counts.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.train - group.test, group.name)))


def _sizes(source: Path | None, splits: dict[str, Split]) -> tuple[tuple[int, int, int], ...]:
    """Count the sizes of the pictures as they are stored."""
    count = sum(len(split) for split in splits.values())
    if source is None or not source.is_dir():
        stored = None if source is None else picture_size(source)
        height, width = stored or next(iter(splits.values())).images.shape[1:]
        return ((width, height, count),)
    if any(split.names is None for split in splits.values() if len(split)):
        # IDX files, which hold pictures of one size.
        height, width = splits["test"].images.shape[1:]
        return ((width, height, count),)
    from PIL import Image

    sizes: Counter[tuple[int, int]] = Counter()
    for split in splits.values():
        for name in split.names if split.names is not None else ():
            # They were all decoded before; here only the heads of the files are read.
            with Image.open(source / str(name)) as image:
                sizes[image.size] += 1
    return tuple((width, height, count) for (width, height), count in sizes.most_common())


def _once(found: Nearest) -> list[int]:
    """Return the pictures that have a partner, of two that are each other's partners the first alone."""
    partner = found.partner
    return [i for i in found.found.tolist() if not (partner[i] < i and partner[partner[i]] == i)]


def _matches(
    images: NDArray[np.uint8], places: _Places, found: Nearest, which: Sequence[int] | NDArray[np.intp]
) -> tuple[Match, ...]:
    """Return the pictures at ``which`` with their partners, the most alike first."""
    matches = [
        Match(
            places[int(i)],
            places[int(found.partner[i])],
            min(float(found.correlation[i]), 1.0),
            np.array_equal(images[i], images[found.partner[i]]),
        )
        for i in which
    ]
    return tuple(sorted(matches, key=lambda match: (not match.equal, -match.correlation)))
