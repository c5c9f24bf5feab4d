"""All numbers of a picture, of a single cell as of a whole page, in reading order."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.image.ink import best_mix, to_gray, to_plain
from edge_digits_runtime.image.picture import digit_pixels, reduced_by
from edge_digits_runtime.model.classifier import DigitClassifier
from edge_digits_runtime.model.reasons import reason_code
from edge_digits_runtime.page.decoding import REJECT
from edge_digits_runtime.page.formats import Format
from edge_digits_runtime.page.line import Character, Line, LineReader
from edge_digits_runtime.page.row_finder import Row, RowFinder
from edge_digits_runtime.page.value import Mark, value_of

SHORTER_SIDE = 1500
"""Shorter side in pixels that a reduced JPEG of a page keeps at least: ``open_picture(path, reading.SHORTER_SIDE)``."""
_COLOURS = 64
"""Longer side in pixels of the small copy that the colours of a page are judged on."""
_ABOVE, _BESIDE = 0.22, 0.3
"""Room that is left above and below the digits of a line, and beside them, in heights of a digit."""
_SECOND_ABOVE, _SECOND_BESIDE = 0.62, 0.7
"""The same for the second look at a line, see `LineReader.read_looks`."""
_LEVEL = 0.12
"""A line that rises or falls by less, in heights of a digit, is cut out as it is."""
_WORD = 0.3
"""A line with `REJECT` in it of a smaller confidence is taken for a word."""
_TURNED, _LEAD = 4, 1.5
"""Digits that must be sure on a page that was turned, since a single 6 upside down is a 9; and how many times as many
as on the page as it lies."""
_NARROW = 1.2
"""A line at most so many times as wide as high is a single digit."""
SURE = 0.9
"""Confidence from which on a line is sure. The threshold in the card of a line reader is for one look at a line that
was cut out well; this one was chosen on 600 made lines, of which 431 are read right: 82 % of these are then sure, and
2.5 % of all lines are sure and wrong (from 0.78 on 87 and 3.8 %, from 0.94 on 75 and 1.5 %)."""
_ROOM = 2.5
"""A picture at most so many times as high as its only line is also read as a whole where the line is not sure: of 300
made lines 221 instead of 210 were right then, and 190 of these sure instead of 143; 13 instead of 10 were sure and
wrong."""
_SAMPLE = 8
"""Lines that are also read upside down."""
_DOUBTFUL = 0.5
"""A character of a smaller probability is shown as `REJECT`."""

Gray = NDArray[np.uint8]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class PageLine:
    """One number of a page, or what stands beside each other with no more room than between words."""

    text: str
    """As written, with its signs; ``?`` for what is no part of a number, and for a character that is doubtful."""
    confidence: float
    """Probability of the text in [0, 1], calibrated."""
    reason: str | None
    """Why the text is not sure; None if it is."""
    box: Box
    """x, y, width and height in pixels of the file that the picture was opened from."""
    row: int
    """Number of its row, from 0 at the top."""
    column: int | None
    """Number of its column, from 0 on the left; None where the numbers stand in no grid."""
    characters: tuple[Character, ...]
    """Of the text; with boxes as `box`."""

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the text."""
        return self.reason is None

    @property
    def digits(self) -> str:
        """The digits of the text, and ``?``, without signs and spaces."""
        return "".join(character for character in self.text if character.isdigit() or character == REJECT)


@dataclass(frozen=True)
class Page:
    """The numbers on a page."""

    lines: tuple[PageLine, ...]
    """In reading order."""
    turned: int
    """By how many degrees the page is turned counter-clockwise: 0, 90, 180 or 270. It was read upright."""

    @property
    def sure(self) -> bool:
        """Whether there is a number, and nothing speaks against any."""
        return bool(self.lines) and all(line.sure for line in self.lines)

    def rows(self, digits_only: bool = False) -> list[str]:
        """Return the text of each row, with a space between two numbers."""
        texts: dict[int, list[str]] = {}
        for line in self.lines:
            texts.setdefault(line.row, []).append(line.digits if digits_only else line.text)
        return [" ".join(row) for row in texts.values()]

    def to_dict(self, decimal: Mark = "auto", digits_only: bool = False) -> dict[str, Any]:
        """JSON-ready: ``turned``, and for each of ``lines`` its fields, ``value`` and ``sure``."""
        return {
            "turned": self.turned,
            "lines": [
                {
                    "text": line.digits if digits_only else line.text,
                    "value": value_of(line.text, decimal),
                    "confidence": round(line.confidence, 5),
                    "sure": line.sure,
                    "reason": line.reason,
                    "reason_code": reason_code(line.reason),
                    "row": line.row,
                    "column": line.column,
                    "box": list(line.box),
                    "characters": [
                        {"text": one.text, "confidence": round(one.confidence, 5), "box": list(one.box)}
                        for one in line.characters
                    ],
                }
                for line in self.lines
            ],
        }


class PageReader:
    """Reads the numbers of pictures: finds their lines, then reads each; for one thread at a time.

    Attributes:
        reader: reads single lines.
        finder: finds them.
        classifier: reads a digit that stands alone, where the line reader is not sure of it.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes | None = None,
        *,
        backend: str | None = None,
        min_confidence: float | None = None,
        allow_unverified: bool = False,
        require_signature: str | os.PathLike[str] | None = None,
    ) -> None:
        """Load a line reader and the row finder; see `LineReader` for the arguments and what is raised.

        Without ``min_confidence`` a line is sure from `SURE` on.
        """
        self.reader = LineReader(
            model,
            backend=backend,
            min_confidence=SURE if min_confidence is None else min_confidence,
            allow_unverified=allow_unverified,
            require_signature=require_signature,
        )
        self.finder = RowFinder(backend=backend)
        self.classifier = DigitClassifier(backend=backend)

    def read(self, image: Image.Image, expect: Format | None = None) -> Page:
        """Find and read all numbers of a picture.

        Args:
            image: any mode and size. It is not changed.
            expect: the format that the numbers have; what does not fit is not sure. None for any.

        Example:
            >>> from PIL import Image, ImageDraw, ImageFont
            >>> picture = Image.new("L", (240, 90), 235)
            >>> ImageDraw.Draw(picture).text((40, 20), "12.5", 20, ImageFont.load_default(48))
            >>> PageReader().read(picture).rows()
            ['12.5']
        """
        plain = to_plain(image)
        small = plain.reduce(max(1, max(plain.size) // _COLOURS)) if plain.mode == "RGB" else plain
        page = to_gray(plain, best_mix(small))
        factor = reduced_by(image)
        best = self._turned(page, 0, factor, expect)
        if not best.lines or 2 * sum(line.sure for line in best.lines) < len(best.lines):
            # Little of it can be read as it lies.
            turned = self._turned(page, 1, factor, expect)
            if _weight(turned.lines) >= max(_TURNED, _LEAD * _weight(best.lines)):
                best = turned
        if best.lines and (best.sure or not _is_one_line(best, image.height)):
            return best
        whole = self._whole(page, factor, expect)
        # What was found gives way to what is sure only; where nothing was found, a doubtful number is better.
        return whole if whole.sure or not best.lines else best

    def _turned(self, page: Gray, quarters: int, factor: int, expect: Format | None, flipped: bool = False) -> Page:
        """Read a page that is turned by so many quarters, or by two more if it turns out to be upside down."""
        upright = np.ascontiguousarray(np.rot90(page, -quarters))
        gathered = self.finder.find(upright)
        back = _Back(page.shape, quarters, factor)
        cuts = [cut for line in gathered for cut in _cuts(upright, line)]
        answers = self._read(cuts, expect)
        if not flipped and self._upside_down(cuts, answers, expect):
            return self._turned(page, quarters + 2, factor, expect, flipped=True)
        places = [number for number, line in enumerate(gathered) for _ in line]
        found = [
            (place, cut, answer) for place, cut, answer in zip(places, cuts, answers, strict=True) if _is_number(answer)
        ]
        numbers = {place: number for number, place in enumerate(sorted({place for place, _, _ in found}))}
        columns = _columns([(numbers[place], cut.row) for place, cut, _ in found])
        result = [
            _line(answer, numbers[place], column, cut, back)
            for (place, cut, answer), column in zip(found, columns, strict=True)
        ]
        return Page(tuple(result), quarters * 90)

    def _upside_down(self, cuts: "Sequence[_Cut]", answers: Sequence[Line], expect: Format | None) -> bool:
        """Return whether a few of the longest lines can be read much better upside down."""
        longest = sorted(range(len(cuts)), key=lambda k: -cuts[k].pixels.shape[1] / cuts[k].pixels.shape[0])[:_SAMPLE]
        if sum(len(answers[k].text) for k in longest) < _TURNED:
            return False
        flipped = self.reader.read_all([np.ascontiguousarray(cuts[k].pixels[::-1, ::-1]) for k in longest], expect)
        return _weight(flipped) >= max(_TURNED, _LEAD * _weight([answers[k] for k in longest]))

    def _read(self, cuts: "Sequence[_Cut]", expect: Format | None) -> list[Line]:
        """Read lines that were cut out; look twice at each. Boxes are those in the first look."""
        result = []
        # Side by side in one input, so that both looks at a short line take the time of one.
        for look, cut in zip(
            self.reader.read_looks([(cut.pixels, cut.second) for cut in cuts], expect), cuts, strict=True
        ):
            line = look.line if look.index == 0 else _moved(look.line, cut)
            alone = len(line.text) <= 1 and cut.pixels.shape[1] <= _NARROW * cut.pixels.shape[0]
            result.append(self._single(line, look.texts, cut) if alone and not line.sure and expect is None else line)
        return result

    def _single(self, line: Line, texts: Sequence[str], cut: "_Cut") -> Line:
        """Ask the classifier of single digits about one that the line reader is not sure of.

        It is sure where one of the two looks at the line agrees with it.
        """
        answer = self.classifier.classify_prepared(digit_pixels(Image.fromarray(cut.second)))
        if not answer.sure:
            return line
        text = str(answer.digit)
        box = line.characters[0].box if line.characters else (0, 0, *cut.pixels.shape[::-1])
        reason = None
        if text not in texts:
            reason = f"a line reader reads {line.text!r}, a classifier of single digits {text!r}"
        return Line(text, answer.confidence, reason, (Character(text, answer.confidence, box),))

    def _whole(self, page: Gray, factor: int, expect: Format | None) -> Page:
        """Read a picture as one line; keep a number that is at least `_DOUBTFUL`."""
        line = self.reader.read_all([page], expect)[0]
        if not _is_number(line) or REJECT in line.text or line.confidence < _DOUBTFUL:
            return Page((), 0)
        high, wide = page.shape
        row = Row(0.0, float(wide), high / 2, 0.0, float(high), line.confidence)
        cut = _Cut(row, page, page, (0.0, 0.0), (0.0, 0.0), 0.0)
        return Page((_line(line, 0, None, cut, _Back(page.shape, 0, factor)),), 0)


def _is_one_line(page: Page, height: int) -> bool:
    """Return whether an upright picture shows one line and little room around it, such as the cell of a table."""
    alone = page.turned == 0 and len({line.row for line in page.lines}) == 1
    return alone and height <= _ROOM * max(line.box[3] for line in page.lines)


def _weight(lines: "Sequence[Line | PageLine]") -> int:
    """Return how many digits are read for sure."""
    return sum(sum(map(str.isdigit, line.text)) for line in lines if line.sure)


def _is_number(line: Line) -> bool:
    """Return whether a line is a number, for all that can be told, and no word that looks a little like one."""
    digits = sum(character.isdigit() for character in line.text)
    return digits > 0 and (REJECT not in line.text or (line.confidence >= _WORD and digits > line.text.count(REJECT)))


@dataclass(frozen=True)
class _Cut:
    """A line cut out of an upright page."""

    row: Row
    pixels: Gray
    second: Gray
    """The same with more room around it."""
    corner: tuple[float, float]
    """Where its upper left corner is on the page, in pixels from the left and from the top."""
    second_corner: tuple[float, float]
    """The same of the second."""
    slope: float
    """Pixels down on the page for each pixel to the right in the cut."""


@dataclass(frozen=True)
class _Back:
    """The way from an upright page back to the file."""

    shape: tuple[int, int]
    """Height and width of the page as it is turned."""
    quarters: int
    factor: int
    """Pixels of the file for each pixel of the page."""

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return the box in the file that edges on the upright page stand for."""
        high, wide = self.shape if self.quarters % 2 == 0 else self.shape[::-1]
        for _ in range(self.quarters):
            # A quarter counter-clockwise: what was on the right comes up.
            left, top, right, bottom = top, wide - right, bottom, wide - left
            high, wide = wide, high
        x0, y0 = max(round(left), 0), max(round(top), 0)
        x1, y1 = min(max(round(right), x0 + 1), self.shape[1]), min(max(round(bottom), y0 + 1), self.shape[0])
        return x0 * self.factor, y0 * self.factor, (x1 - x0) * self.factor, (y1 - y0) * self.factor


def _cuts(page: Gray, line: Sequence[Row]) -> list[_Cut]:
    """Cut the rows of one line out of an upright page."""
    result = []
    for k, row in enumerate(line):
        before = line[k - 1].right if k else -math.inf
        behind = line[k + 1].left if k + 1 < len(line) else math.inf
        views = []
        for above, beside in ((_ABOVE, _BESIDE), (_SECOND_ABOVE, _SECOND_BESIDE)):
            # Half of the gap to a neighbour at most.
            left = row.left - min(beside * row.size, max((row.left - before) / 2, 0))
            right = row.right + min(beside * row.size, max((behind - row.right) / 2, 0))
            views.append(_cut(page, row, left, right, above))
        result.append(_Cut(row, views[0][0], views[1][0], views[0][1], views[1][1], views[0][2]))
    return result


def _cut(page: Gray, row: Row, left: float, right: float, above: float) -> tuple[Gray, tuple[float, float], float]:
    """Return the pixels of a row from ``left`` to ``right``, its corner, and its slope as in `_Cut`."""
    half = row.size * (0.5 + above)
    if abs(row.slope) * (row.right - row.left) < _LEVEL * row.size:
        x0, y0 = max(int(left), 0), max(int(row.middle - half), 0)
        x1, y1 = max(math.ceil(right), x0 + 1), max(math.ceil(row.middle + half), y0 + 1)
        part = page[y0:y1, x0:x1]
        if part.size:
            return np.ascontiguousarray(part), (float(x0), float(y0)), 0.0
        return np.ascontiguousarray(page[:1, :1]), (0.0, 0.0), 0.0
    # Each column is moved, so that what was written upright stays so.
    size = max(1, round(right - left)), max(1, round(2 * half))
    top = row.at(left) - half
    box = max(int(left) - 1, 0), max(int(min(top, row.at(right) - half)) - 1, 0)
    end = math.ceil(right) + 1, math.ceil(max(row.at(left), row.at(right)) + half) + 1
    part = page[box[1] : end[1], box[0] : end[0]]
    if not part.size:
        return np.ascontiguousarray(page[:1, :1]), (0.0, 0.0), 0.0
    matrix = (1, 0, left - box[0], row.slope, 1, top - box[1])
    ground = int(np.median(part))
    moved = Image.fromarray(np.ascontiguousarray(part)).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=ground
    )
    return np.asarray(moved), (left, top), row.slope


def _moved(line: Line, cut: _Cut) -> Line:
    """Return a line that was read in the second look with the boxes that it has in the first."""
    right, down = (round(b - a) for a, b in zip(cut.corner, cut.second_corner, strict=True))
    moved = [
        Character(each.text, each.confidence, (each.box[0] + right, each.box[1] + down, *each.box[2:]))
        for each in line.characters
    ]
    return Line(line.text, line.confidence, line.reason, tuple(moved))


def _line(answer: Line, number: int, column: int | None, cut: _Cut, back: _Back) -> PageLine:
    """Return what was read in a cut, with its boxes in the file."""
    characters = []
    for one in answer.characters:
        x, y, width, height = one.box
        left, top = cut.corner[0] + x, cut.corner[1] + y + cut.slope * (x + width / 2)
        characters.append(Character(one.text, one.confidence, back.box(left, top, left + width, top + height)))
    shown = "".join(REJECT if one.confidence < _DOUBTFUL else one.text for one in answer.characters)
    row = cut.row
    ends = row.at(row.left), row.at(row.right)
    box = back.box(row.left, min(ends) - row.size / 2, row.right, max(ends) + row.size / 2)
    reason = answer.reason
    if reason is None and shown != answer.text:
        reason = "a character is doubtful"
    return PageLine(shown, answer.confidence, reason, box, number, column, tuple(characters))


def _columns(rows: Sequence[tuple[int, Row]]) -> list[int | None]:
    """Return the number of the column of each row of a page, or None for each if they stand in no grid.

    Args:
        rows: with the number of the line that each is in.
    """
    groups: list[tuple[float, float]] = []
    for _, row in sorted(rows, key=lambda item: item[1].left):
        if groups and row.left < groups[-1][1]:
            groups[-1] = groups[-1][0], max(groups[-1][1], row.right)
        else:
            groups.append((row.left, row.right))
    columns = [next(k for k, (left, right) in enumerate(groups) if left <= row.left <= right) for _, row in rows]
    places = [(line, column) for (line, _), column in zip(rows, columns, strict=True)]
    # A grid has two rows and columns at least, and no two numbers in one place.
    if len(groups) < 2 or len({line for line, _ in places}) < 2 or len(set(places)) < len(places):
        return [None] * len(rows)
    return list(columns)
