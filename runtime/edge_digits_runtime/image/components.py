"""Connected components of a mask, computed from its runs with numpy alone.

A run is a stretch of true pixels along a row. The mask of a page has ten million pixels but only some ten thousand
runs. Two binary searches find the runs of neighbouring rows that touch; a union-find joins them by hooking each tree
onto the smaller label until nothing changes, which takes a handful of rounds of whole-array operations (the scheme of
Shiloach and Vishkin 1982). scipy.ndimage.label does the same; scipy would nearly double what a device installs (33 MB
beside 37 MB).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Box, Ints, Mask


@dataclass(frozen=True)
class Components:
    """The n 8-connected components of a mask; component ``k`` is row ``k`` of `boxes` and `areas`.

    Boxes and areas are computed when they are first asked for.
    """

    labels: Ints
    """The component of each run, in [0, n), shape ``(runs,)``."""
    starts: Ints
    """First pixel of each run, shape ``(runs,)``: an index of the flattened mask with an empty column added on the
    right."""
    stops: Ints
    """End of each run, exclusive, shape ``(runs,)``, counted as in `starts`."""
    count: int
    """Number of components, n."""
    shape: tuple[int, int]
    """Height and width of the mask."""

    def __len__(self) -> int:
        return self.count

    @functools.cached_property
    def boxes(self) -> Ints:
        """Left, top, right and bottom of each component in pixels, the last two exclusive, shape ``(n, 4)``."""
        if not self.count:
            return np.zeros((0, 4), np.intp)
        first, last = self._firsts[:-1], self._firsts[1:] - 1
        rows, lefts = np.divmod(self.starts[self._by_label], self.shape[1] + 1)
        boxes = np.empty((self.count, 4), np.intp)
        np.minimum.reduceat(lefts, first, out=boxes[:, 0])
        np.maximum.reduceat(lefts + self._lengths, first, out=boxes[:, 2])
        # The runs of a component are in reading order, so the first is in its top row, the last in its bottom row.
        boxes[:, 1], boxes[:, 3] = rows[first], rows[last] + 1
        return boxes

    @functools.cached_property
    def areas(self) -> Ints:
        """Number of pixels of each component, shape ``(n,)``."""
        return np.add.reduceat(self._lengths, self._firsts[:-1]) if self.count else np.zeros(0, np.intp)

    @property
    def widths(self) -> Ints:
        """Width of each box in pixels, shape ``(n,)``."""
        return self.boxes[:, 2] - self.boxes[:, 0]

    @property
    def heights(self) -> Ints:
        """Height of each box in pixels, shape ``(n,)``."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def only(self, keep: Mask) -> "Components":
        """Return the components for which ``keep``, shape ``(n,)``, is true, in the same order."""
        if keep.all():
            return self
        chosen = keep[self.labels]
        labels = (keep.cumsum() - 1)[self.labels[chosen]]
        return Components(labels, self.starts[chosen], self.stops[chosen], int(keep.sum()), self.shape)

    def mask(self, keep: Mask) -> Mask:
        """Return the pixels of the components for which ``keep``, shape ``(n,)``, is true: a mask of shape `shape`."""
        chosen = keep[self.labels]
        height, width = self.shape
        return filled(self.starts[chosen], (self.stops - self.starts)[chosen], (height, width + 1))[:, :width]

    def patch(self, members: Sequence[int] | Ints, box: Box) -> Mask:
        """Return the pixels of the components ``members``, at least one, as a mask of the shape of ``box``.

        ``box`` holds them all.
        """
        left, top, right, bottom = box
        runs = np.concatenate([self._by_label[self._firsts[k] : self._firsts[k + 1]] for k in members])
        row, column = np.divmod(self.starts[runs], self.shape[1] + 1)
        starts = (row - top) * (right - left) + column - left
        return filled(starts, (self.stops - self.starts)[runs], (bottom - top, right - left))

    def alone(self, k: int) -> Mask:
        """Return the pixels of component ``k``: a mask of the shape of its box."""
        left, top, right, bottom = self.boxes[k].tolist()
        return self.patch([k], (left, top, right, bottom))

    @functools.cached_property
    def _by_label(self) -> Ints:
        """Indices of the runs, ordered by component, shape ``(runs,)``."""
        return self.labels.argsort(kind="stable")

    @functools.cached_property
    def _lengths(self) -> Ints:
        """Length of each run in pixels, in the order of `_by_label`, shape ``(runs,)``."""
        return (self.stops - self.starts)[self._by_label]

    @functools.cached_property
    def _firsts(self) -> Ints:
        """First place of each component's runs in `_by_label`, then the number of runs, shape ``(n + 1,)``."""
        return self.labels[self._by_label].searchsorted(np.arange(self.count + 1))

    def sums(self, values: NDArray[np.uint8]) -> Ints:
        """Return the sum of ``values``, shape `shape`, over the pixels of each component, shape ``(n,)``."""
        height, width = self.shape
        total = np.zeros(height * (width + 1) + 1, np.int64)
        total[1:].reshape(height, width + 1)[:, :width] = values
        np.cumsum(total, out=total)
        return np.bincount(self.labels, total[self.stops] - total[self.starts], len(self)).astype(np.intp)

    def peaks(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the largest of ``values``, shape `shape`, among the pixels of each component, shape ``(n,)``."""
        height, width = self.shape
        flat = np.zeros((height, width + 1), np.uint8)
        flat[:, :width] = values
        largest = np.zeros(len(self), np.uint8)
        if len(self):
            # Stretches between bounds alternate: a run, then the gap behind it.
            bounds = np.array([self.starts, self.stops]).T.ravel()
            np.maximum.at(largest, self.labels, np.maximum.reduceat(flat.ravel(), bounds)[::2])
        return largest


def components(mask: Mask) -> Components:
    """Return the 8-connected components of ``mask``, shape ``(height, width)``.

    They are numbered in the order of their first pixels: row by row, from left to right.
    """
    height, width = mask.shape
    starts, stops = runs(mask)
    roots = _joined(len(starts), *_touching(starts, stops, width + 1))
    # A root is the first run of its component, so the order of the roots is the order of the first pixels.
    ranks = (roots == np.arange(len(roots))).cumsum() - 1
    return Components(ranks[roots], starts, stops, int(ranks[-1]) + 1 if len(ranks) else 0, (height, width))


def runs(mask: Mask) -> tuple[Ints, Ints]:
    """Return begin and end, exclusive, of each run along the rows of ``mask``.

    Both are indices of the flattened mask with an empty column added on the right. The column parts a run at the end of
    a row from one at the beginning of the next.
    """
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, np.bool_)
    padded[1:].reshape(height, width + 1)[:, :width] = mask
    edges = (padded[1:] != padded[:-1]).nonzero()[0]
    return edges[0::2], edges[1::2]


def filled(starts: Ints, lengths: Ints, shape: tuple[int, int]) -> Mask:
    """Return a mask of ``shape`` in which the runs that begin at ``starts`` and have these ``lengths`` are true.

    ``starts`` are indices of the flattened mask.
    """
    ends = lengths.cumsum()
    mask = np.zeros(shape[0] * shape[1], np.bool_)
    if len(ends):
        mask[(starts + lengths - ends).repeat(lengths) + np.arange(ends[-1])] = True
    return mask.reshape(shape)


def _touching(starts: Ints, stops: Ints, stride: int) -> tuple[Ints, Ints]:
    """Return all pairs of runs that touch, also at a corner: indices of the upper run and of the lower run."""
    first = stops.searchsorted(starts + stride)
    behind = starts.searchsorted(stops + stride, "right")
    counts = behind - first
    above = np.arange(len(starts)).repeat(counts)
    # For each pair the index of the first neighbour of its upper run, plus its place among the pairs of that run.
    below = (first + counts - counts.cumsum()).repeat(counts) + np.arange(len(above))
    return above, below


def _joined(count: int, a: Ints, b: Ints) -> Ints:
    """Join the sets of runs ``a[k]`` and ``b[k]`` for every ``k`` and return the smallest member of each run's set."""
    parents = np.arange(count)
    while True:
        low, high = np.minimum(parents[a], parents[b]), np.maximum(parents[a], parents[b])
        apart = low != high
        if not apart.any():
            return parents
        np.minimum.at(parents, high[apart], low[apart])
        grand = parents[parents]
        while (grand != parents).any():
            parents, grand = grand, grand[grand]
