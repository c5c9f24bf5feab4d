"""Find the lines of numbers on a page with a small fully convolutional network.

The network sees the page in several sizes at once, each half of the one before, side by side on one canvas: digits of
8 to 22 pixels are found in at least one of them. For parts of 2 × 2 pixels it says whether they are in the middle half
of a number, of a number that lies on its side, of other writing, or of nothing, and how high its digits are.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.image.arrays import Mask
from edge_digits_runtime.image.components import components
from edge_digits_runtime.library_errors import INTERPRETER, first_line
from edge_digits_runtime.model import backends, registry
from edge_digits_runtime.model.network import Tensor, open_interpreter

CELL, PARTS = 8, 4
"""The network answers for cells of 8 × 8 pixels, each divided into 4 × 4 parts."""
LABELS = ("nothing", "other writing", "number", "number on its side")
"""Classes of a part. Which way up a number is, its reader can tell far better: it sees all of it, and sharper."""
OUTPUTS = len(LABELS) + 1
"""Of a part: the logits of its classes, and the logarithm to the base 2 of 16ths of the height of its digits."""
LONGEST = 1280
"""Longer side in pixels of the largest size that the network sees."""
_FIRST = 2
"""Class of a number that is level, upright or upside down."""
_HEIGHT_UNIT = 16.0
_SMALLEST = 28
"""Longer side in pixels of the smallest size of a page, at most: so a digit that fills a picture is small enough."""
_GAP = 16
_ENDS = 0.002
"""Share of the pixels that may be darker than the dark end of the range of a page, or lighter than the light end."""
_SMALLEST_RANGE = 40.0
"""In grey levels. A page with a smaller range is stretched as one with this range: it may be blank."""
_THINNEST, _THICKEST = 6.0, 30.0
"""Heights of digits in pixels that a size of the page is good for."""
_WORD_GAP = 0.5
"""Gap from which on two pieces that were found in one line stay apart, in heights of a digit."""
_ROOM = 4.0
"""Height of a picture of one line, in heights of its digits at most."""
_LENGTH_BONUS, _SIZE_LOSS = 0.02, 0.15
"""How much of a score a line gains for each height of a digit that it is long, and loses for each octave of its height
that it is off what the network sees best; both only to choose between two lines that lie over each other."""
_LATEST = 5
"""Number of rows of a line that say where it goes on."""
_LEAST = 0.08
"""Smallest area of a line, in squares of the height of a digit."""
_SHARED = 0.2
"""Two lines are the same if they share more than this of the smaller one."""
SCORE, DOUBTFUL = 0.7, 0.4
"""Least score of a line on a page of several, where it may be a word; and of one that is all that a picture shows."""

Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """A line of numbers on a page, in pixels of the page."""

    left: float
    right: float
    middle: float
    """Height of its middle line, half way between the left and the right end."""
    slope: float
    """Pixels down for each pixel to the right."""
    size: float
    """Height of its digits."""
    score: float
    """How surely it is a number, in (0, 1)."""

    def at(self, x: Any) -> Any:
        """Return the height of its middle line at a column."""
        return self.middle + (x - (self.left + self.right) / 2) * self.slope


@dataclass(frozen=True)
class _Found:
    """A row, and whether it is level."""

    row: Row
    level: bool
    """Whether it is more likely level than on its side."""
    fitness: float
    """How well the size of the page fits it."""


@dataclass(frozen=True)
class _Level:
    """One size of the page on the canvas."""

    x: int
    y: int
    pixels: Gray
    scale: float
    """Pixels of the page for each pixel."""


class RowFinder:
    """Finds the lines of numbers on pages with one ``.tflite``; for one thread at a time.

    Attributes:
        name: what messages call the model.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes = registry.ROW_MODEL,
        *,
        backend: str | None = None,
        threads: int = 1,
        allow_unverified: bool = False,
    ) -> None:
        """Load a model.

        Args:
            model: a file or its content.
            backend: ``litert`` or ``tflite-runtime``; None for ``EDGE_DIGITS_BACKEND``, else what is installed.
            threads: how many cores one page may use, at least 1.
            allow_unverified: accept a model whose sha256 is not the one in its card.

        Raises:
            ModelError: missing, damaged, or no row finder.
            ChecksumError: the model does not match its card.
            BackendError: no interpreter is installed, or not the one asked for.
        """
        self.name, file = registry.load(model, allow_unverified)
        if file.card is None or file.card.input.kind != "page":
            raise ModelError(f"{self.name}: its card does not say that it finds lines on a page (input page)")
        self._interpreter = open_interpreter(file, self.name, backends.choose(backend), threads)
        self._shape: tuple[int, int] = file.card.input.shape
        self._in = Tensor.read(self._interpreter.get_input_details()[0])
        self._out = Tensor.read(self._interpreter.get_output_details()[0])
        wanted = (1, self._shape[0] // CELL, self._shape[1] // CELL, PARTS * PARTS * OUTPUTS)
        if self._in.shape != (1, *self._shape, 1) or self._out.shape != wanted or self._out.dtype != np.int8:
            raise ModelError(f"{self.name}: the input is {self._in}, the output {self._out}; not those of a row finder")

    def find(self, page: Gray) -> list[list[Row]]:
        """Find the level lines of a page, upright or upside down; gathered as by `lines`.

        Those with a score below `SCORE` are left out, unless they are all that the picture shows: one line with little
        room around it, such as the cell of a table.

        Args:
            page: uint8, shape ``(height, width)``.
        """
        found = [each.row for each in self._found(page) if each.level]
        all_lines = lines(found)
        if len(all_lines) == 1 and page.shape[0] <= _ROOM * max(row.size for row in all_lines[0]):
            return all_lines
        return lines([row for row in found if row.score >= SCORE])

    def _found(self, page: Gray) -> list[_Found]:
        levels, canvas = _canvas(page)
        classes, heights = self._run(canvas)
        mask = classes[_FIRST:].max(0) > classes[:_FIRST].max(0)
        found = []
        pieces = _measured(mask, classes, heights, self._out)
        for level in levels:
            found += pieces.rows(level)
        return _best(found)

    def outputs(self, canvas: Gray) -> NDArray[np.float32]:
        """Return what the network gives for a canvas of whole cells: shape ``(rows, columns, 16 · OUTPUTS)``.

        Of each cell its parts, row by row, and of each part the logits of its classes and the logarithm of its height.
        """
        stored = self._invoke(canvas)[0].astype(np.float32)
        result: NDArray[np.float32] = (stored - np.float32(self._out.zero_point)) * np.float32(self._out.scale)
        return result

    def _run(self, canvas: Gray) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return for each part of a canvas the logits of its classes, ``(4, rows, columns)``, and its height."""
        rows, columns = (side // CELL for side in canvas.shape)
        cells = self._invoke(canvas).reshape(rows, columns, PARTS, PARTS, OUTPUTS)
        parts = np.ascontiguousarray(cells.transpose(4, 0, 2, 1, 3)).reshape(OUTPUTS, rows * PARTS, columns * PARTS)
        return parts[:-1], parts[-1]

    def _invoke(self, canvas: Gray) -> NDArray[np.int8]:
        """Run the network; the array that is returned is its memory."""
        interpreter = self._interpreter
        if canvas.shape != self._shape:
            interpreter.resize_tensor_input(self._in.index, (1, *canvas.shape, 1))
            interpreter.allocate_tensors()
            self._shape = canvas.shape
        # A pixel is stored as an int8 by flipping its top bit: the scale is 1/255 and the zero point -128.
        backends.memory(interpreter, self._in.index)[0, :, :, 0] = (canvas ^ np.uint8(0x80)).view(np.int8)
        try:
            interpreter.invoke()
        except INTERPRETER as error:
            raise ModelError(f"{self.name}: fails when it runs: {first_line(error)}") from error
        return backends.memory(interpreter, self._out.index)


def stretch(picture: Gray) -> Gray:
    """Stretch the greys of a page to the whole range.

    Args:
        picture: uint8, shape ``(height, width)``.
    """
    counts = np.bincount(picture.ravel(), minlength=256).cumsum()
    low, high = (int(np.searchsorted(counts, share * counts[-1])) for share in (_ENDS, 1 - _ENDS))
    gain = 255 / max(high - low, _SMALLEST_RANGE)
    middle = (low + high) / 2
    table = np.clip((np.arange(256) - middle) * gain + 127.5 + 0.5, 0, 255).astype(np.uint8)
    stretched: Gray = table[picture]
    return stretched


def _canvas(page: Gray) -> tuple[list[_Level], Gray]:
    """Lay all sizes of a page on one canvas: the largest on the left, the others below each other on the right."""
    scale = max(1.0, max(page.shape) / LONGEST)
    levels: list[_Level] = []
    pixels, x, y = page, _GAP, _GAP
    while not levels or max(pixels.shape) > _SMALLEST:
        if levels:
            scale *= 2
        size = max(1, round(page.shape[1] / scale)), max(1, round(page.shape[0] / scale))
        if (pixels.shape[1], pixels.shape[0]) != size:
            pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
        pixels = _whole_cells(stretch(pixels))
        levels.append(_Level(x, y, pixels, scale))
        if len(levels) == 1:
            x += pixels.shape[1] + _GAP
        else:
            y += pixels.shape[0] + _GAP
    high = max(level.y + level.pixels.shape[0] for level in levels) + _GAP
    wide = max(level.x + level.pixels.shape[1] for level in levels) + _GAP
    canvas = np.full((high, wide), int(np.median(levels[-1].pixels)), np.uint8)
    for level in levels:
        canvas[level.y : level.y + level.pixels.shape[0], level.x : level.x + level.pixels.shape[1]] = level.pixels
    return levels, canvas


def _whole_cells(pixels: Gray) -> Gray:
    """Continue a picture to the right and below by its own edge until it has whole cells."""
    down, right = (-side % CELL for side in pixels.shape)
    return np.pad(pixels, ((0, down), (0, right)), mode="edge") if down or right else pixels


@dataclass(frozen=True)
class _Pieces:
    """The n connected pieces of the parts of a canvas that are numbers. All arrays have one entry for each piece."""

    boxes: NDArray[np.float64]
    """Left, top, right and bottom in pixels of the canvas, shape ``(n, 4)``."""
    middles: NDArray[np.float64]
    """Row half way between the left and the right end."""
    slopes: NDArray[np.float64]
    sizes: NDArray[np.floating[Any]]
    """Height of a digit in pixels of the canvas."""
    areas: NDArray[np.floating[Any]]
    """In pixels of the canvas."""
    sides: NDArray[np.float64]
    """Probability that it is level, and that it is on its side, shape ``(2, n)``."""

    def rows(self, level: _Level) -> list[_Found]:
        """Return the pieces that lie in one size of the page and have a height that it is good for."""
        high, wide = level.pixels.shape
        x, y = self.boxes[:, [0, 2]].mean(1) - level.x, self.boxes[:, [1, 3]].mean(1) - level.y
        scores = self.sides.sum(0)
        good = (x >= 0) & (x < wide) & (y >= 0) & (y < high) & (scores >= DOUBTFUL)
        good &= (self.sizes >= _THINNEST) & (self.sizes <= _THICKEST) & (self.areas >= _LEAST * self.sizes**2)
        result = []
        for k in np.flatnonzero(good).tolist():
            left, _, right, _ = self.boxes[k].tolist()
            size, score = float(self.sizes[k]), float(scores[k])
            length = (right - left) / size
            fitness = score + _LENGTH_BONUS * min(length, 8) - _SIZE_LOSS * abs(math.log2(size / _HEIGHT_UNIT))
            row = Row(
                max(left - level.x, 0) * level.scale,
                min(right - level.x, wide) * level.scale,
                (float(self.middles[k]) - level.y) * level.scale,
                float(self.slopes[k]),
                size * level.scale,
                score,
            )
            result.append(_Found(row, bool(self.sides[0, k] >= self.sides[1, k]), fitness))
        return result


def _measured(mask: Mask, classes: NDArray[np.int8], heights: NDArray[np.int8], out: Tensor) -> _Pieces:
    """Measure the connected pieces of a mask.

    Args:
        mask: parts that are numbers, shape ``(rows, columns)``.
        classes: logits of each part, shape ``(4, rows, columns)``, as they are stored.
        heights: of each part, likewise.
        out: how they are stored.
    """
    pieces = components(mask)
    count, part = len(pieces), CELL // PARTS
    lengths = pieces.stops - pieces.starts
    ends = lengths.cumsum()
    flat = (pieces.starts + lengths - ends).repeat(lengths) + np.arange(ends[-1] if count else 0)
    of = pieces.labels.repeat(lengths)
    y, x = np.divmod(flat, mask.shape[1] + 1)

    def mean(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(of, values, count) / pieces.areas

    odds = np.exp((classes[:, y, x].astype(np.float32) - classes.max(0)[y, x]) * np.float32(out.scale))
    shares = odds[_FIRST:] / odds.sum(0)
    sizes: NDArray[Any] = _HEIGHT_UNIT * 2 ** ((mean(heights[y, x]) - out.zero_point) * out.scale)
    boxes = pieces.boxes.astype(np.float64)
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    mean_x, mean_y = mean(x), mean(y)
    spread = mean(x * x) - mean_x**2
    # The line of least squares; a piece that is hardly wider than high has no direction.
    slopes = np.where(wide >= 2 * high, (mean(x * y) - mean_x * mean_y) / np.maximum(spread, 1e-9), 0.0)
    level = (boxes[:, 1] + boxes[:, 3] - 1) / 2
    fitted = mean_y + slopes * ((boxes[:, 0] + boxes[:, 2] - 1) / 2 - mean_x)
    middles = np.where(wide >= 2 * high, fitted, level) + 0.5
    sides = np.stack([mean(share) for share in shares])
    return _Pieces(boxes * part, middles * part, slopes, sizes, pieces.areas * float(part**2), sides)


def _best(candidates: Sequence[_Found]) -> list[_Found]:
    """Keep of those that lie over each other, found in several sizes of the page, the one that fits best."""
    kept: list[_Found] = []
    # Left, right, middle, slope and size of those that are kept.
    others = np.zeros((len(candidates), 5))
    for each in sorted(candidates, key=lambda one: -one.fitness):
        row = each.row
        left, right, middle, slope, size = others[: len(kept)].T
        wide = np.minimum(right, row.right) - np.maximum(left, row.left)
        x = (np.maximum(left, row.left) + np.minimum(right, row.right)) / 2
        off = np.abs(middle + (x - (left + right) / 2) * slope - row.at(x))
        high = np.minimum((size + row.size) / 2 - off, np.minimum(size, row.size))
        smaller = np.minimum((right - left) * size, (row.right - row.left) * row.size)
        if not ((wide > 0) & (high > 0) & (wide * high > _SHARED * smaller)).any():
            others[len(kept)] = row.left, row.right, row.middle, row.slope, row.size
            kept.append(each)
    return kept


def lines(rows: Sequence[Row]) -> list[list[Row]]:
    """Gather rows that stand beside each other in lines, from top to bottom; each from left to right."""
    if not rows:
        return []
    slopes = [row.slope for row in rows if row.right - row.left > 3 * row.size]
    slope = float(np.median(slopes)) if slopes else 0.0

    def level(row: Row) -> float:
        return row.middle - slope * (row.left + row.right) / 2

    result: list[list[Row]] = []
    # Where each line is, seen from its last rows: one of them may stand high, or low.
    levels: list[float] = []
    for row in sorted(rows, key=lambda one: one.left):
        here, best = level(row), None
        for number, (line, at) in enumerate(zip(result, levels, strict=True)):
            last, off = line[-1], abs(at - here)
            if (
                off < 0.5 * min(row.size, last.size)
                and last.right <= row.left + row.size
                and (best is None or off < best[0])
            ):
                best = off, number
        if best is None:
            result.append([row])
            levels.append(here)
        else:
            line = result[best[1]]
            line.append(row)
            levels[best[1]] = float(np.median([level(each) for each in line[-_LATEST:]]))
    return [_joined(line) for line in sorted(result, key=lambda line: line[0].middle - slope * line[0].left)]


def _joined(line: Sequence[Row]) -> list[Row]:
    """Join rows of a line with no more room between them than between words; what is found is often in pieces."""
    result: list[Row] = []
    for row in line:
        last = result[-1] if result else None
        if last is None or row.left - last.right >= _WORD_GAP * max(last.size, row.size):
            result.append(row)
            continue
        size = max(last.size, row.size)
        ends = last.at(last.left), row.at(row.right)
        long = max(row.right - last.left, 1.0)
        # Short pieces have no slope of their own; the longer one knows best.
        longer = max(last, row, key=lambda one: one.right - one.left)
        slope = (ends[1] - ends[0]) / long if long > 3 * size else longer.slope
        score = min(last.score, row.score)
        result[-1] = Row(last.left, row.right, (ends[0] + ends[1]) / 2, slope, size, score)
    return result
