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

Ints = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Components:
    """The 8-connected components of a mask; component ``k`` is row ``k`` of ``boxes`` and ``areas``."""

    boxes: Ints
    """Shape ``(n, 4)``: left, top, right, bottom in pixels, the last two exclusive."""
    areas: Ints
    """Shape ``(n,)``, in pixels."""
    labels: Ints
    """Shape ``(runs,)``, the component of each run, in [0, n)."""
    starts: Ints
    """Shape ``(runs,)``, where a run begins in the mask with one empty column added on the right, flattened."""
    stops: Ints
    """Shape ``(runs,)``, where it ends, exclusive."""
    shape: tuple[int, int]
    """Height and width of the mask."""

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def widths(self) -> Ints:
        """Shape ``(n,)``, widths of the boxes."""
        return self.boxes[:, 2] - self.boxes[:, 0]

    @property
    def heights(self) -> Ints:
        """Shape ``(n,)``, heights of the boxes."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def mask(self, keep: Mask) -> Mask:
        """The pixels, shape `shape`, of those components where ``keep``, shape ``(n,)``, is true."""
        chosen = keep[self.labels]
        height, width = self.shape
        steps = np.zeros(height * (width + 1), np.int8)
        steps[self.starts[chosen]] = 1
        steps[self.stops[chosen]] = -1
        inside: Mask = np.cumsum(steps, dtype=np.int8).view(np.bool_).reshape(height, width + 1)[:, :width]
        return inside

    def patch(self, members: Sequence[int] | Ints, box: tuple[int, int, int, int]) -> Mask:
        """The pixels of the components ``members`` in ``box`` (left, top, right, bottom), which holds them."""
        left, top, right, bottom = box
        runs = np.concatenate([self._by_label[self._firsts[k] : self._firsts[k + 1]] for k in members])
        row, column = np.divmod(self.starts[runs], self.shape[1] + 1)
        steps = np.zeros((bottom - top, right - left + 1), np.int8)
        steps[row - top, column - left] = 1
        steps[row - top, column - left + self.stops[runs] - self.starts[runs]] = -1
        return np.cumsum(steps, axis=1, dtype=np.int8)[:, :-1].view(np.bool_)

    @functools.cached_property
    def _by_label(self) -> Ints:
        """The runs, those of component 0 first."""
        return np.argsort(self.labels, kind="stable")

    @functools.cached_property
    def _firsts(self) -> Ints:
        """Where the runs of each component begin in `_by_label`, and where the last ones end."""
        return np.searchsorted(self.labels[self._by_label], np.arange(len(self) + 1))

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
            bounds = np.stack([self.starts, self.stops], axis=1).ravel()
            np.maximum.at(largest, self.labels, np.maximum.reduceat(flat.ravel(), bounds)[::2])
        return largest


def components(mask: Mask) -> Components:
    """Find the 8-connected components of ``mask``, a bool array of shape ``(height, width)``.

    They are numbered by their first pixel in reading order.
    """
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, np.bool_)
    padded[1:].reshape(height, width + 1)[:, :width] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    starts, stops = edges[0::2], edges[1::2]
    roots = _joined(len(starts), *_touching(starts, stops, width + 1))
    # A root is the smallest run of its component, so their order is the reading order.
    is_root = roots == np.arange(len(roots))
    labels = (np.cumsum(is_root) - 1)[roots]
    return Components(*_measures(labels, starts, stops, width + 1), labels, starts, stops, (height, width))


def _touching(starts: Ints, stops: Ints, stride: int) -> tuple[Ints, Ints]:
    """All pairs of runs that touch, across a corner too: the run above and the run below."""
    first = np.searchsorted(stops, starts + stride, "left")
    behind = np.searchsorted(starts, stops + stride, "right")
    counts = behind - first
    above = np.repeat(np.arange(len(starts)), counts)
    offsets = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts, counts)
    return above, np.repeat(first, counts) + offsets


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


def _measures(labels: Ints, starts: Ints, stops: Ints, stride: int) -> tuple[Ints, Ints]:
    """Boxes and areas of the components."""
    if not len(labels):
        return np.zeros((0, 4), np.intp), np.zeros(0, np.intp)
    order = np.argsort(labels, kind="stable")
    begins = np.flatnonzero(np.diff(labels[order], prepend=-1))
    rows, lefts = np.divmod(starts[order], stride)
    lengths = (stops - starts)[order]
    # Runs of one component are in reading order, so its first and last one have its top and bottom row.
    lasts = np.append(begins[1:], len(order)) - 1
    left, right = np.minimum.reduceat(lefts, begins), np.maximum.reduceat(lefts + lengths, begins)
    return np.stack([left, rows[begins], right, rows[lasts] + 1], axis=1), np.add.reduceat(lengths, begins)
