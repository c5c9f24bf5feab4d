"""Which pictures of a data set are held out: a stratified draw of pictures, or whole groups of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.classes import shown
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.errors import DataError

TEST_FRACTION = 1 / 7
"""Share of pictures held out for testing where a source does not say which: that of MNIST."""
TEST_SEED = 0
_DRAWS = 100
"""Orders of the groups that are tried for a number of pictures near to the one wanted."""


def split_validation(train: Split, fraction: float, seed: int, fold: int = 0) -> tuple[Split, Split]:
    """Split training pictures into training and validation, seeded, each part in the given order.

    Where the groups of the pictures are known, whole groups are held out, see `held_out_groups`. Otherwise validation
    gets ``round(n * fraction)`` pictures, of each class its share rounded down or up (largest remainders first); one
    picture of each class always stays for training.

    Args:
        train: the pictures.
        fraction: share for validation, in (0, 1).
        seed: of the draw.
        fold: which part of the drawn order is held out, below ``1 / fraction``: the parts have no picture in common,
            and for ``1 / fraction`` folds (k-fold cross-validation) they are all pictures, but for rounding.

    Raises:
        DataError: the fraction is not in (0, 1), or there are too few pictures or groups to split.
    """
    mask = held_out(train.labels, train.groups, fraction, seed, fold)
    return train.take(~mask), train.take(mask)


def held_out(
    labels: NDArray[np.uint8],
    groups: NDArray[np.str_] | None = None,
    fraction: float = TEST_FRACTION,
    seed: int = TEST_SEED,
    fold: int = 0,
) -> NDArray[np.bool_]:
    """Return which of the pictures with these labels and groups are held out, shape ``(n,)``; see `split_validation`.

    Raises:
        DataError: as `split_validation`.
    """
    if not 0 < fraction < 1:
        raise DataError(f"a validation share of {fraction}; allowed is more than 0 and less than 1")
    if groups is not None:
        return held_out_groups(labels, groups, fraction, seed, fold)
    counts = _shares(np.bincount(labels), fraction)
    if not counts.any():
        raise DataError(f"{len(labels)} pictures are too few to hold out {fraction:.3g} of them; give at least 20")
    rng = np.random.default_rng(seed)
    mask = np.zeros(len(labels), bool)
    for label, count in enumerate(counts):
        mask[rng.permutation(np.flatnonzero(labels == label))[fold * count :][:count]] = True
    return mask


def held_out_groups(
    labels: NDArray[np.uint8], groups: NDArray[np.str_], fraction: float, seed: int, fold: int = 0
) -> NDArray[np.bool_]:
    """Return which pictures are held out, shape ``(n,)``: whole groups, in number as near to the share as they allow.

    Of every class, pictures stay for training. Of `_DRAWS` seeded orders of the groups, the one is taken whose first
    groups that fit are nearest to the share.

    Args:
        labels: shape ``(n,)``.
        groups: names, shape ``(n,)``.
        fraction: share of the pictures, in (0, 1).
        seed: of the draw.
        fold: the groups of earlier folds are not drawn again.

    Raises:
        DataError: no group can be held out without a class losing all of its pictures.
    """
    names, index = np.unique(groups, return_inverse=True)
    by_class = np.zeros((len(names), int(labels.max()) + 1), np.int64)
    np.add.at(by_class, (index, labels), 1)
    rng = np.random.default_rng(seed)
    free = np.ones(len(names), bool)
    chosen: list[int] = []
    for _ in range(fold + 1):
        chosen = _draw_groups(by_class, np.flatnonzero(free), fraction * len(labels), rng)
        free[chosen] = False
    if not chosen:
        raise DataError(
            f"none of the {len(names)} groups can be held out: without it a class has no pictures left to learn from; "
            "give more groups, or pictures of each class in several of them"
        )
    return np.isin(index, chosen)


def named_groups(
    source: object, labels: NDArray[np.uint8], groups: NDArray[np.str_] | None, names: Sequence[str], count: int
) -> NDArray[np.bool_]:
    """Return which pictures are of the groups ``names``, shape ``(n,)``.

    Args:
        source: opens every message.
        labels: shape ``(n,)``.
        groups: names, shape ``(n,)``; None where none is known.
        names: of the groups that are wanted.
        count: number of classes.

    Raises:
        DataError: no groups are known, one is not there, or none or not every class is left to learn from.
    """
    if groups is None:
        raise DataError(
            f"{source}: test groups {', '.join(names)} are asked for, but no groups are known: "
            "give a groups.csv, groups in the .npz, or --group-from"
        )
    known = np.unique(groups).tolist()
    absent = [name for name in names if name not in known]
    if absent:
        there = f"{', '.join(known[:10])}{f' and {len(known) - 10} more' if len(known) > 10 else ''}"
        raise DataError(f"{source}: no group {shown(absent[0])}; there are {there}")
    mask: NDArray[np.bool_] = np.isin(groups, list(names))
    if mask.all():
        raise DataError(f"{source}: all groups are test groups; training needs others")
    gone = np.flatnonzero(np.bincount(labels[~mask], minlength=count) == 0)
    if len(gone):
        raise DataError(
            f"{source}: without the test groups no picture of {len(gone)} of the {count} classes is left to learn from"
        )
    return mask


def _shares(available: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """How many of each class to hold out."""
    exact = available * fraction
    counts = np.floor(exact).astype(np.int64)
    missing = round(int(available.sum()) * fraction) - int(counts.sum())
    # A stable sort, so that of equal remainders the first class comes first on every machine.
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    kept: NDArray[np.int64] = np.clip(counts, 0, np.maximum(available - 1, 0))
    return kept


def _draw_groups(
    by_class: NDArray[np.int64], free: NDArray[np.intp], wanted: float, rng: np.random.Generator
) -> list[int]:
    """Groups among ``free`` that together have about ``wanted`` pictures and leave some of every class."""
    total = by_class.sum(axis=0)
    best: list[int] = []
    nearest = np.inf
    for _ in range(_DRAWS):
        taken: list[int] = []
        count, left = 0, total.copy()
        for group in rng.permutation(free):
            size = int(by_class[group].sum())
            rest = left - by_class[group]
            nearer = not taken or abs(count + size - wanted) < abs(count - wanted)
            if nearer and (rest[total > 0] > 0).all():
                taken.append(int(group))
                count, left = count + size, rest
        if taken and abs(count - wanted) < nearest:
            best, nearest = taken, abs(count - wanted)
        if nearest < 1:
            break
    return best
