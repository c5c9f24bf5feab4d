"""Pictures that are equal or nearly equal: copies of one photograph, or two that a camera took one after the other.

A network that has learned a picture knows its copy. So a copy in another split, or of another group, makes a measured
accuracy too good.

Two pictures are nearly equal if their grey levels correlate by `NEARLY` or more, so a difference in brightness or
contrast alone counts as none. The threshold is measured. Of the 13,628 pictures of meters that
``benchmarks/accuracy/meters.py`` reads, 85 correlate that much with a picture of another meter, and every one of these
shows the same digit, turned as far to within a tenth. Of the 10,000 test pictures of MNIST, which are by other writers
than those it has for training, one does: a straight 1. At 0.98 there are 151 and 105.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEARLY = 0.99
"""The correlation of two pictures, in [-1, 1], from which on they are nearly equal."""
_BLOCK = 512
"""Pictures that are compared with all others in one step: with 70,000 others, 140 MB of distances."""
_PATCH = 4
"""Side of the patches in pixels whose means are compared first."""
_ROUNDING = 1e-4
"""What float32 may add to the square of a distance."""

Progress = Callable[[int, int], None]
"""``progress(done, length)``, in pictures."""


@dataclass(frozen=True)
class Nearest:
    """For each picture, that of another part that is most like it."""

    partner: NDArray[np.int64]
    """Index of that picture, shape ``(n,)``; -1 where none is nearly equal."""
    correlation: NDArray[np.float32]
    """Of the two, `NEARLY` to 1, shape ``(n,)``; 0 where there is no partner."""

    @property
    def found(self) -> NDArray[np.intp]:
        """Indices of the pictures that have a partner."""
        return np.flatnonzero(self.partner >= 0)


def equal_sets(images: NDArray[np.uint8]) -> list[list[int]]:
    """Return the pictures of which there are several, as lists of indices; pictures of one grey are left out.

    Args:
        images: shape ``(n, height, width)``.

    Example:
        >>> ramp = np.arange(4, dtype=np.uint8).reshape(2, 2)
        >>> equal_sets(np.stack([ramp, ramp.T, ramp]))
        [[0, 2]]
    """
    by_content: dict[bytes, list[int]] = {}
    for index in np.flatnonzero(~flat(images)).tolist():
        by_content.setdefault(images[index].tobytes(), []).append(index)
    return [indices for indices in by_content.values() if len(indices) > 1]


def flat(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pictures of shape ``(n, height, width)`` have one grey only: there is nothing to see."""
    one_grey: NDArray[np.bool_] = images.min(axis=(1, 2), initial=255) >= images.max(axis=(1, 2), initial=0)
    return one_grey


def nearest(
    images: NDArray[np.uint8], parts: Sequence[NDArray[np.integer]], progress: Progress | None = None
) -> list[Nearest]:
    """Find for each picture the one of another part that is most like it, if it is nearly equal.

    Every pair is looked at. Means of patches come first: the distance of two pictures is at least that of their means,
    so a pair whose means are too far apart needs no other look.

    Args:
        images: shape ``(n, height, width)``.
        parts: one array of shape ``(n,)`` for each way in which the pictures are parted: by split, by group, by label.
        progress: called after each block of pictures.

    Returns:
        One for each of ``parts``.

    Example:
        >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
        >>> (by_split,) = nearest(np.stack([ramp, ramp.T, ramp + 9]), [np.array([0, 0, 1])])
        >>> by_split.partner.tolist()
        [2, -1, 0]
    """
    count = len(images)
    found = [Nearest(np.full(count, -1), np.zeros(count, np.float32)) for _ in parts]
    for rows, columns, correlation in _pairs(images, images, progress, above=True):
        for part, best in zip(parts, found, strict=True):
            apart = part[rows] != part[columns]
            _keep(best, rows[apart], columns[apart], correlation[apart])
            _keep(best, columns[apart], rows[apart], correlation[apart])
    return found


def nearest_among(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> Nearest:
    """Find for each of ``images`` the one of ``others`` that is most like it, if it is nearly equal.

    Args:
        images: shape ``(n, height, width)``.
        others: shape ``(m, height, width)``.
    """
    best = Nearest(np.full(len(images), -1), np.zeros(len(images), np.float32))
    for rows, columns, correlation in _pairs(images, others, None, above=False):
        _keep(best, rows, columns, correlation)
    return best


Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


def _pairs(
    images: NDArray[np.uint8], others: NDArray[np.uint8], progress: Progress | None, above: bool
) -> Iterator[Pairs]:
    """Yield pairs of nearly equal pictures: indices into ``images`` and ``others``, and how much they correlate.

    Args:
        images: shape ``(n, height, width)``.
        others: shape ``(m, height, width)``; the same array for all pairs in it.
        progress: called after each block.
        above: whether only pairs with a larger index among ``others`` are wanted.
    """
    if not len(images) or not len(others):
        return
    # For vectors of length 1, the square of the distance is 2 - 2 × correlation.
    far = 2 - 2 * NEARLY + _ROUNDING
    means = _patch_means(others)
    squares = (means**2).sum(axis=1)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK]
        first = start if above else 0
        own = _patch_means(block)
        distance = own @ means[first:].T
        distance *= -2
        distance += squares[first:]
        near, columns = np.nonzero(distance <= far - (own**2).sum(axis=1)[:, None])
        columns += first
        if above:
            later = columns > near + start
            near, columns = near[later], columns[later]
        yield from _verified(block, others, near, columns, start)
        if progress:
            progress(min(start + _BLOCK, len(images)), len(images))


def _verified(
    block: NDArray[np.uint8], others: NDArray[np.uint8], near: NDArray[np.intp], columns: NDArray[np.intp], start: int
) -> Iterator[Pairs]:
    """Yield those of the pairs that are nearly equal, looked at pixel by pixel, some thousands at a time."""
    for at in range(0, len(near), 8 * _BLOCK):
        row, column = near[at : at + 8 * _BLOCK], columns[at : at + 8 * _BLOCK]
        correlation = np.einsum("nk,nk->n", _unit(block[row]), _unit(others[column]))
        good = correlation >= NEARLY
        yield row[good] + start, column[good], correlation[good]


def _unit(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures as vectors of mean 0 and length 1, shape ``(n, pixels)``; 0 where there is one grey only."""
    vectors = images.reshape(len(images), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(length > 0, length, 1)
    return vectors


def _patch_means(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the means of the patches of each picture's vector, shape ``(n, patches)``.

    They are scaled so that this is an orthogonal projection: two pictures are never nearer than their means. Pictures
    of one grey are put far from all others.
    """
    height, width = images.shape[1:]
    rows, columns = np.arange(0, height, _PATCH), np.arange(0, width, _PATCH)
    sizes = np.outer(np.diff(rows, append=height), np.diff(columns, append=width)).astype(np.float32)
    result = np.empty((len(images), sizes.size), np.float32)
    # In parts, since a float copy of 70,000 pictures would be 220 MB.
    for start in range(0, len(images), 8 * _BLOCK):
        part = images[start : start + 8 * _BLOCK]
        vectors = _unit(part).reshape(part.shape)
        sums = np.add.reduceat(np.add.reduceat(vectors, rows, axis=1), columns, axis=2)
        result[start : start + len(part)] = (sums / np.sqrt(sizes)).reshape(len(part), -1)
    result[flat(images)] = 9
    return result


def _keep(best: Nearest, rows: NDArray[np.intp], columns: NDArray[np.intp], correlation: NDArray[np.float32]) -> None:
    """Enter the pairs that are better than what ``best`` has for their rows."""
    order = np.argsort(correlation, kind="stable")
    rows, columns, correlation = rows[order], columns[order], correlation[order]
    better = correlation > best.correlation[rows]
    # Of several for one row the last one stays, which correlates most.
    best.partner[rows[better]] = columns[better]
    best.correlation[rows[better]] = correlation[better]
