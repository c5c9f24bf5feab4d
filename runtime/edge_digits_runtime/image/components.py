"""Connected components of a mask, by its runs, in numpy alone.

A mask of a page has a few ten thousand runs where it has ten million pixels. Runs of neighbouring rows that touch
are found by two binary searches, and are joined by hooking each tree of a union-find onto the smaller label until
nothing changes, which takes a handful of rounds of whole-array operations (the scheme of Shiloach and Vishkin 1982).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.image.arrays import Box, Ints, Mask


@dataclass(frozen=True)
class Components:
    """The 8-connected components of a mask; component ``k`` is row ``k`` of `boxes` and `areas`.

    What is measured of them is measured when it is first asked for.
    """

    labels: Ints
    """Shape ``(runs,)``, the component of each run, in [0, n)."""
    starts: Ints
    """Shape ``(runs,)``, where a run begins in the mask with one empty column added on the right, flattened."""
    stops: Ints
    """Shape ``(runs,)``, where it ends, exclusive."""
    count: int
    """How many components there are, n."""
    shape: tuple[int, int]
    """Height and width of the mask."""

    def __len__(self) -> int:
        return self.count

    @functools.cached_property
    def boxes(self) -> Ints:
        """Shape ``(n, 4)``: left, top, right, bottom in pixels, the last two exclusive."""
        if not self.count:
            return np.zeros((0, 4), np.intp)
        first, last = self._firsts[:-1], self._firsts[1:] - 1
        rows, lefts = np.divmod(self.starts[self._by_label], self.shape[1] + 1)
        boxes = np.empty((self.count, 4), np.intp)
        np.minimum.reduceat(lefts, first, out=boxes[:, 0])
        np.maximum.reduceat(lefts + self._lengths, first, out=boxes[:, 2])
        # Runs of one component are in reading order, so its first and last one have its top and bottom row.
        boxes[:, 1], boxes[:, 3] = rows[first], rows[last] + 1
        return boxes

    @functools.cached_property
    def areas(self) -> Ints:
        """Shape ``(n,)``, in pixels."""
        return np.add.reduceat(self._lengths, self._firsts[:-1]) if self.count else np.zeros(0, np.intp)

    @property
    def widths(self) -> Ints:
        """Shape ``(n,)``, widths of the boxes."""
        return self.boxes[:, 2] - self.boxes[:, 0]

    @property
    def heights(self) -> Ints:
        """Shape ``(n,)``, heights of the boxes."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def only(self, keep: Mask) -> "Components":
        """Those components where ``keep``, shape ``(n,)``, is true, in the same order."""
        if keep.all():
            return self
        chosen = keep[self.labels]
        labels = (keep.cumsum() - 1)[self.labels[chosen]]
        return Components(labels, self.starts[chosen], self.stops[chosen], int(keep.sum()), self.shape)

    def mask(self, keep: Mask) -> Mask:
        """The pixels, shape `shape`, of those components where ``keep``, shape ``(n,)``, is true."""
        chosen = keep[self.labels]
        height, width = self.shape
        return filled(self.starts[chosen], (self.stops - self.starts)[chosen], (height, width + 1))[:, :width]

    def patch(self, members: Sequence[int] | Ints, box: Box) -> Mask:
        """The pixels of the components ``members`` in ``box``, which holds them."""
        left, top, right, bottom = box
        runs = np.concatenate([self._by_label[self._firsts[k] : self._firsts[k + 1]] for k in members])
        row, column = np.divmod(self.starts[runs], self.shape[1] + 1)
        starts = (row - top) * (right - left) + column - left
        return filled(starts, (self.stops - self.starts)[runs], (bottom - top, right - left))

    def alone(self, k: int) -> Mask:
        """The pixels of component ``k``, shape of its box."""
        left, top, right, bottom = self.boxes[k].tolist()
        return self.patch([k], (left, top, right, bottom))

    @functools.cached_property
    def _by_label(self) -> Ints:
        """The runs, those of component 0 first."""
        return self.labels.argsort(kind="stable")

    @functools.cached_property
    def _lengths(self) -> Ints:
        """The lengths of the runs, in the order of `_by_label`."""
        return (self.stops - self.starts)[self._by_label]

    @functools.cached_property
    def _firsts(self) -> Ints:
        """Where the runs of each component begin in `_by_label`, and where the last ones end."""
        return self.labels[self._by_label].searchsorted(np.arange(self.count + 1))

    def sums(self, values: NDArray[np.uint8]) -> Ints:
        """Shape ``(n,)``, the sum of ``values``, which has shape `shape`, over each component."""
        height, width = self.shape
        total = np.zeros(height * (width + 1) + 1, np.int64)
        total[1:].reshape(height, width + 1)[:, :width] = values
        np.cumsum(total, out=total)
        return np.bincount(self.labels, total[self.stops] - total[self.starts], len(self)).astype(np.intp)

    def peaks(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Shape ``(n,)``, the largest of ``values``, which has shape `shape`, in each component."""
        height, width = self.shape
        flat = np.zeros((height, width + 1), np.uint8)
        flat[:, :width] = values
        largest = np.zeros(len(self), np.uint8)
        if len(self):
            # Every second stretch is a run, the others are what lies between two runs.
            bounds = np.array([self.starts, self.stops]).T.ravel()
            np.maximum.at(largest, self.labels, np.maximum.reduceat(flat.ravel(), bounds)[::2])
        return largest


def components(mask: Mask) -> Components:
    """Find the 8-connected components of ``mask``, a bool array of shape ``(height, width)``.

    They are numbered by their first pixel in reading order.
    """
    height, width = mask.shape
    starts, stops = runs(mask)
    roots = _joined(len(starts), *_touching(starts, stops, width + 1))
    # A root is the smallest run of its component, so their order is the reading order.
    ranks = (roots == np.arange(len(roots))).cumsum() - 1
    return Components(ranks[roots], starts, stops, int(ranks[-1]) + 1 if len(ranks) else 0, (height, width))


def runs(mask: Mask) -> tuple[Ints, Ints]:
    """Where the runs along the rows of ``mask`` begin and end, with one empty column added on the right, flattened."""
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, np.bool_)
    padded[1:].reshape(height, width + 1)[:, :width] = mask
    edges = (padded[1:] != padded[:-1]).nonzero()[0]
    return edges[0::2], edges[1::2]


def filled(starts: Ints, lengths: Ints, shape: tuple[int, int]) -> Mask:
    """A mask of ``shape`` with runs of ``lengths`` from ``starts``, flattened, on."""
    ends = lengths.cumsum()
    mask = np.zeros(shape[0] * shape[1], np.bool_)
    if len(ends):
        mask[(starts + lengths - ends).repeat(lengths) + np.arange(ends[-1])] = True
    return mask.reshape(shape)


def _touching(starts: Ints, stops: Ints, stride: int) -> tuple[Ints, Ints]:
    """All pairs of runs that touch, across a corner too: the run above and the run below."""
    first = stops.searchsorted(starts + stride)
    behind = starts.searchsorted(stops + stride, "right")
    counts = behind - first
    above = np.arange(len(starts)).repeat(counts)
    # The first of each run's neighbours, less how many pairs come before it.
    below = (first + counts - counts.cumsum()).repeat(counts) + np.arange(len(above))
    return above, below


def _joined(count: int, a: Ints, b: Ints) -> Ints:
    """The smallest member of each run's set when ``a[k]`` and ``b[k]`` are in one set for every ``k``."""
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
