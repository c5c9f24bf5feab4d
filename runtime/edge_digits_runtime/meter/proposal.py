"""Propose the slots of a meter on one picture of it: find the row of digits, lay an even grid over it, let the model
choose the grid whose slots it is surest of."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.data import turns
from edge_digits_runtime.errors import PictureError
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.meter.alignment import SAME
from edge_digits_runtime.meter.reading import Classifier, turned_by
from edge_digits_runtime.page.reading import PageReader
from edge_digits_runtime.page.row_finder import Row

Box = tuple[int, int, int, int]
_LEVEL = 0.3
"""Degrees below which a row is called level."""
_ON_ITS_SIDE = 1.3
"""How many times as large a row must be on the picture turned by a quarter."""
_SHORTEST = 2.5
"""Least width of a row, in heights of a digit."""
_STEEPEST = 8.0
"""Degrees by which a row may fall or rise."""
_NO_ROW = "no row of digits found; give where it is with --row x,y,width,height, and --digits how many there are"
_START = 1.4
"""Height of the first slots that are tried, in heights of a digit."""
_HEIGHT = 1.2, 1.4, 1.65
"""Heights of a slot that are tried, in heights of a digit."""
_WIDEST = 0.8
"""Width of a slot, at most, as a share of its height."""
_FILLED = 0.92
"""Width of a slot as a share of the distance to the next one."""
_RED = 25
"""Grey steps by which digits behind the decimal point are redder than the others."""
_FRAME = 12.0
"""Grey steps of the edge of a window; a display without windows has none."""
_AS_MUCH = 0.4
"""Share of what the others have that the edge of a place must have."""
_FAINT = 0.4
"""A place at either end of a row is none where the model is less sure of it."""


@dataclass(frozen=True)
class Grid:
    """An even row of slots, in pixels."""

    left: float
    """Middle of the first slot."""
    middle: float
    """Middle line of the row."""
    step: float
    """From the middle of a slot to that of the next."""
    height: float
    """Of a slot."""
    count: int
    """Number of slots."""

    @property
    def boxes(self) -> list[Box]:
        """x, y, width and height of each slot; none overlap."""
        width = max(1, min(math.floor(_FILLED * self.step), round(_WIDEST * self.height)))
        top, height = round(self.middle - self.height / 2), round(self.height)
        return [(round(self.left + index * self.step - width / 2), top, width, height) for index in range(self.count)]


@dataclass(frozen=True)
class Proposal:
    """What `propose` found."""

    picture: Image.Image
    """The picture, turned by `rotation`."""
    rotation: float
    """Degrees clockwise."""
    boxes: tuple[Box, ...]
    """The slots, from left to right."""
    decimals: int
    """How many of the last slots are red and the others not."""


def propose(image: Image.Image, classifier: Classifier, reader: PageReader, digits: int | None = None) -> Proposal:
    """Find the row of digits of a meter and propose its slots.

    Args:
        image: the picture.
        classifier: the model that will read the slots.
        reader: what finds the row.
        digits: how many there are; None to find out.

    Raises:
        PictureError: no row of digits is found.
    """
    lying, standing = _largest(image, reader), _largest(turned_by(image, 90), reader)
    on_its_side = _weight(standing) > _ON_ITS_SIDE * _weight(lying)
    rotation = 90.0 if on_its_side else 0.0
    picture = turned_by(image, rotation)
    row = standing if on_its_side else lying
    if row is None:
        raise PictureError(_NO_ROW)
    cut = picture.crop(_around_row(row, picture))
    if _legible(turned_by(cut, 180), reader) > _legible(cut, reader):
        rotation = (rotation + 180) % 360
        picture = turned_by(image, rotation)
        row = Row(
            picture.width - row.right, picture.width - row.left, picture.height - row.middle, row.slope, row.size, 1.0
        )
    slope = _slope(picture.crop(_around_row(row, picture)))
    if abs(slope) >= _LEVEL:
        rotation -= slope
        picture = turned_by(turned_by(image, rotation + slope), -slope)
        row = _largest(picture, reader)
        if row is None:
            raise PictureError(_NO_ROW)
    # From -180 to 180, as a profile has it.
    rotation = (rotation + 180) % 360 - 180
    start = _in_windows(picture, _grid(picture, row, reader))
    boxes = tuple(_fitted(picture, classifier, start, digits).boxes)
    return Proposal(picture, rotation, boxes, _decimals(picture, boxes))


def even(image: Image.Image, rotation: float, row: Box, digits: int) -> Proposal:
    """Return slots that divide a row evenly, for where it is known.

    Args:
        image: the picture, turned by ``rotation`` already.
        rotation: degrees clockwise.
        row: x, y, width and height of all windows together.
        digits: how many there are.
    """
    x, y, width, height = row
    step = width / digits
    room = round((1 - _FILLED) * step / 2)
    edges = [round(x + index * step) for index in range(digits + 1)]
    boxes = tuple((left + room, y, right - left - 2 * room, height) for left, right in itertools.pairwise(edges))
    return Proposal(image, rotation, boxes, _decimals(image, boxes))


def _largest(picture: Image.Image, reader: PageReader) -> Row | None:
    """Return the row that is most like one of wheels: large, and at least `_SHORTEST` times as wide as high."""
    rows = [row for line in reader.finder.find(np.asarray(picture.convert("L"))) for row in line]
    long = [row for row in rows if row.right - row.left >= _SHORTEST * row.size]
    return max(long, key=_weight, default=None)


def _legible(row: Image.Image, reader: PageReader) -> float:
    """Return how many digits are read in a picture of a row as it lies, each weighed by its confidence."""
    page = reader.read(row)
    if page.turned:
        return 0.0
    return max(
        (sum(one.confidence for one in line.characters if one.text.isdigit()) for line in page.lines), default=0.0
    )


def _weight(row: Row | None) -> float:
    return 0.0 if row is None else math.sqrt((row.right - row.left) * row.size)


def _around_row(row: Row, picture: Image.Image) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a row with what is around it."""
    room = row.size
    return (
        max(0, round(row.left - room)),
        max(0, round(row.middle - 1.5 * room)),
        min(picture.width, round(row.right + room)),
        min(picture.height, round(row.middle + 1.5 * room)),
    )


def _slope(row: Image.Image) -> float:
    """Return by how many degrees a row falls to the right: turned back by so many, its edges are sharpest."""
    gray = row.convert("L")

    def sharpness(degrees: float) -> float:
        pixels = np.asarray(gray.rotate(degrees, Image.Resampling.BILINEAR), np.float64)
        # Without the corners that come in from outside.
        room = math.ceil(pixels.shape[1] / 2 * math.sin(math.radians(_STEEPEST)))
        inner = pixels[:, pixels.shape[1] // 8 : -pixels.shape[1] // 8]
        inner = inner[min(room, inner.shape[0] // 4) : inner.shape[0] - min(room, inner.shape[0] // 4)]
        return float((np.diff(inner.mean(axis=1)) ** 2).sum())

    best = 0.0
    for reach, step in ((_STEEPEST, 1.0), (1.0, 0.2)):
        best = max((best + offset for offset in np.arange(-reach, reach + step / 2, step)), key=sharpness)
    return float(best)


def _grid(picture: Image.Image, row: Row, reader: PageReader) -> Grid:
    """Return a grid through the characters of a row: they are a whole number of steps apart.

    Raises:
        PictureError: no digits are read there.
    """
    box = _around_row(row, picture)
    lines = [line for line in reader.read(picture.crop(box)).lines if len(line.characters) >= 3]
    if not lines:
        raise PictureError(_NO_ROW)
    line = max(lines, key=lambda line: line.box[2] * line.box[3])
    found = [character.box for character in line.characters if character.text.strip()]
    x = np.sort([left + width / 2 for left, _, width, _ in found])
    gaps = np.diff(x)
    step = float(np.median(gaps[gaps > 0.3 * gaps.max()]))
    first = float(x[0])
    places = np.rint((x - first) / step)
    for _ in range(3):
        if np.ptp(places) == 0:
            break
        step, first = (float(value) for value in np.polyfit(places, x, 1))
        places = np.rint((x - first) / step)
    count = int(places.max() - places.min()) + 1
    return Grid(box[0] + first + float(places.min()) * step, row.middle, step, _START * row.size, count)


def _in_windows(picture: Image.Image, grid: Grid) -> Grid:
    """Return the grid without the places at its ends that no window frames, where the others have one: a unit, such as
    the m3 behind the digits, is read as digits, too, but is printed on the face."""
    framed = _framed(picture, grid)
    if framed is None:
        return grid
    inside = [index for index, each in enumerate(framed) if each]
    return dataclasses.replace(grid, left=grid.left + inside[0] * grid.step, count=inside[-1] - inside[0] + 1)


def _framed(picture: Image.Image, grid: Grid) -> list[bool] | None:
    """Return of each place whether an edge runs above and below it; None where that is so of hardly any place."""
    pixels = np.asarray(picture.convert("L"), np.float64)
    edges = []
    for x, y, width, height in grid.boxes:
        columns = pixels[:, max(0, x) : x + width]
        zones = ((y - 0.4 * height, y + 0.25 * height), (y + 0.75 * height, y + 1.4 * height))
        edges.append(min(_edge(columns[max(0, round(top)) : max(0, round(end))]) for top, end in zones))
    most = float(np.median(edges))
    return None if most < _FRAME else [edge >= _AS_MUCH * most for edge in edges]


def _edge(part: NDArray[np.float64]) -> float:
    """Return the grey steps of the strongest edge that runs through more than half of all columns of ``part``."""
    if part.shape[0] < 4 or part.shape[1] < 1:
        return 0.0
    return float(np.median(np.abs(part[3:] - part[:-3]), axis=1).max())


def _fitted(picture: Image.Image, classifier: Classifier, start: Grid, digits: int | None) -> Grid:
    """Return the grid near ``start`` that the model is surest of."""
    count = start.count if digits is None else digits
    # Where the number is known and another one was found, the row begins a few places earlier or later.
    shifts = range(min(0, start.count - count), max(0, start.count - count) + 1)
    best, most = start, -math.inf
    for shift in shifts:
        moved = dataclasses.replace(start, left=start.left + shift * start.step, count=count)
        for grid in _around(moved):
            score = float(np.mean(_sure(picture, classifier, grid)))
            if score > most:
                best, most = grid, score
    return best if digits is not None else _trimmed(picture, classifier, best)


def _around(start: Grid) -> Iterator[Grid]:
    digit = start.height / _START
    for height, down, right, step in itertools.product(
        _HEIGHT, (-0.12, 0.0, 0.12), (-0.08, 0.0, 0.08), (-0.012, 0.0, 0.012)
    ):
        yield Grid(
            start.left + right * digit - step * start.step * (start.count - 1) / 2,
            start.middle + down * digit,
            start.step * (1 + step),
            height * digit,
            start.count,
        )


def _trimmed(picture: Image.Image, classifier: Classifier, grid: Grid) -> Grid:
    """Return the grid without the places at its ends that show no digit, and with those beside it that do."""
    wider = dataclasses.replace(grid, left=grid.left - grid.step, count=grid.count + 2)
    framed = _framed(picture, wider)
    sure = _sure(picture, classifier, wider)
    found = []
    for index, (x, _, width, _) in enumerate(wider.boxes):
        if x < 0 or x + width > picture.width or not (framed is None or framed[index]):
            continue
        # A place that was not read as a character must be as sure as a digit that rests. One that was needs little
        # where a window says that there is a digit: a wheel may be turning.
        read = 0 < index <= grid.count
        if sure[index] >= (0.9 if not read else 0.0 if framed else _FAINT):
            found.append(index)
    if not found:
        return grid
    return dataclasses.replace(wider, left=wider.left + found[0] * grid.step, count=found[-1] - found[0] + 1)


def _sure(picture: Image.Image, classifier: Classifier, grid: Grid) -> list[float]:
    """Return for each slot how sure the model is of a turn within two tenths, or of a digit, in [0, 1]."""
    pixels = np.stack([prepare(SAME.cut(picture, box), classifier.input).pixels for box in grid.boxes])
    shares = np.asarray(classifier.classify_batch(pixels).probabilities, np.float64)
    labels = classifier.labels
    if turns.are_turns(labels):
        near = sum(np.roll(shares[:, : turns.COUNT], step, axis=1) for step in range(-turns.REACH, turns.REACH + 1))
        return [float(value) for value in np.max(near, axis=1)]
    digits = [index for index, label in enumerate(labels) if len(label) == 1 and label.isdecimal()]
    return [float(value) for value in shares[:, digits].max(axis=1)]


def _decimals(picture: Image.Image, boxes: Sequence[Box]) -> int:
    """Return how many slots at the right end are red, where those at the left are not."""
    pixels = np.asarray(picture.convert("RGB"), np.float64)
    red = []
    for x, y, width, height in boxes:
        part = pixels[max(0, y) : y + height, max(0, x) : x + width]
        if part.size == 0:
            return 0
        # Red digits cover a part of the wheel only, red ground the most of it.
        red.append(float(np.percentile(part[..., 0] - (part[..., 1] + part[..., 2]) / 2, 90)))
    count = 0
    while count < len(red) - 1 and red[-1 - count] > red[0] + _RED:
        count += 1
    return count if count < len(red) - 1 else 0
