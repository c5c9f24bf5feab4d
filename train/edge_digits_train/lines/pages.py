"""Made pictures of pages with the places of their numbers: what the row finder learns from.

A page is a function of its seed and its number. It is a cut-out of what the network sees: numbers, words, tables and
junk in any size, of which those of `SMALLEST` to `LARGEST` pixels are to be found.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_digits_train.lines import displays, page_items, photo
from edge_digits_train.lines.library import Library
from edge_digits_train.lines.page_items import Item

Rng = np.random.Generator
Pictures = NDArray[np.uint8]
SIDE = 256
"""Of a page, in pixels."""
CELL, PARTS = 8, 4
"""The network answers for cells of 8 × 8 pixels, each divided into 4 × 4 parts."""
NOTHING, OTHER, UPRIGHT = 0, 1, 2
"""Classes of a part: no writing, or writing that is no number; from `UPRIGHT` on a number, turned by so many quarters
of a circle, counter-clockwise."""
IGNORED = -1
"""Instead of a class where any answer is right."""
SMALLEST, LARGEST = 8.0, 36.0
"""Heights of digits that are to be found, in pixels."""
_TOLERATED = 6.0, 52.0
"""Heights that may be found."""
HEIGHT_UNIT, HEIGHT_STEPS = 16.0, 32
"""Heights are given as logarithms to the base 2 of 16ths of pixels, in a target in 32nds."""
_CORE = 0.25
"""The class of a line stands in the middle half of its digits: it begins this share below the top of a digit."""
_NARROWEST = 0.4
_PIECES = 80


@dataclass(frozen=True)
class Pages:
    """Pictures of pages and what is to be found in them."""

    pictures: Pictures
    """Shape ``(n, SIDE, SIDE)``."""
    targets: NDArray[np.int8]
    """Class of each part of each cell, and the height of its digits, shape ``(n, SIDE / 8, SIDE / 8, 16, 2)``."""

    def __len__(self) -> int:
        return len(self.pictures)

    @classmethod
    def made(cls, stored: Library, seed: int, first: int, count: int) -> "Pages":
        """Make the pages ``first`` to ``first + count - 1`` of a seed; they share their pieces.

        So they are a function of the number of the first, too: drawing the pieces takes longer than composing a page.
        """
        pieces = Pieces.draw(np.random.default_rng((seed, first, 1)), stored)
        made = [draw_page(np.random.default_rng((seed, first + k)), pieces, stored) for k in range(count)]
        return cls(np.stack([picture for picture, _ in made]), np.stack([target for _, target in made]))

    @classmethod
    def joined(cls, parts: Sequence["Pages"]) -> "Pages":
        """Join parts, at least one."""
        return cls(np.concatenate([part.pictures for part in parts]), np.concatenate([part.targets for part in parts]))


@dataclass(frozen=True)
class Pieces:
    """What pages are composed of."""

    numbers: list[Item]
    digits: list[Item]
    words: list[Item]

    @classmethod
    def draw(cls, rng: Rng, stored: Library, each: int = _PIECES) -> "Pieces":
        """Draw so many of each kind."""
        return cls(
            [page_items.draw_number(rng, stored) for _ in range(each)],
            [page_items.draw_digit(rng, stored) for _ in range(each)],
            [page_items.draw_words(rng, stored) for _ in range(each)],
        )


class Sheet:
    """A page under composition: its ink, its rules, and what is to be found."""

    def __init__(self, size: float, side: int = SIDE) -> None:
        self.size = size
        """Height of a usual digit in pixels."""
        self.side = side
        self.ink = np.zeros((side, side), np.uint8)
        self.rules = Image.new("L", (side, side))
        self.draw = ImageDraw.Draw(self.rules)
        self.classes = np.zeros((side, side), np.uint8)
        self.heights = np.zeros((side, side), np.uint8)

    def put(self, item: Item, x: float, base: float, size: float, slope: float = 0.0) -> float:
        """Put a piece on the sheet: its left edge at ``x``, its baseline at ``base``; return where it ends."""
        scale = size / (item.base - item.top)
        wide, high = max(1, round(item.ink.shape[1] * scale)), max(1, round(item.ink.shape[0] * scale))
        ink = np.asarray(Image.fromarray(item.ink).resize((wide, high), Image.Resampling.BILINEAR))
        classes = np.zeros((high, wide), np.uint8)
        up, down = (
            round((item.top + _CORE * (item.base - item.top)) * scale),
            round((item.base - _CORE * (item.base - item.top)) * scale),
        )
        pad = max(0, -up, down - high, round(_NARROWEST * size))
        classes, ink = np.pad(classes, pad), np.pad(ink, pad)
        for left, right, number in item.spans:
            missing = max(0.0, _NARROWEST * size - (right - left) * scale) / 2
            x0, x1 = round(left * scale - missing) + pad, round(right * scale + missing) + pad
            classes[up + pad : max(down, up + 1) + pad, max(x0, 0) : max(x1, x0 + 1)] = UPRIGHT if number else OTHER
        if slope:
            # Along the writing everything moves down by the slope, as an upright pen draws it.
            pad_y = int(abs(slope) * ink.shape[1]) + 1
            matrix = (1, 0, 0, -slope, 1, slope * ink.shape[1] / 2 - pad_y)
            sheared = [
                np.asarray(
                    Image.fromarray(a).transform(
                        (a.shape[1], a.shape[0] + 2 * pad_y), Image.Transform.AFFINE, matrix, how
                    )
                )
                for a, how in ((ink, Image.Resampling.BILINEAR), (classes, Image.Resampling.NEAREST))
            ]
            ink, classes = sheared
        else:
            pad_y = 0
        self._lay(ink, classes, round(x) - pad, round(base - item.base * scale) - pad - pad_y, size)
        return float(x + wide)

    def _lay(self, ink: Pictures, classes: Pictures, x: int, y: int, size: float) -> None:
        high, wide = ink.shape
        y0, x0, y1, x1 = max(y, 0), max(x, 0), min(y + high, self.side), min(x + wide, self.side)
        if y1 <= y0 or x1 <= x0:
            return
        here, there = np.s_[y - y + y0 - y : y1 - y, x0 - x : x1 - x], np.s_[y0:y1, x0:x1]
        np.maximum(self.ink[there], ink[here], out=self.ink[there])
        np.maximum(self.classes[there], classes[here], out=self.classes[there])
        code = np.uint8(np.clip(round(128 + HEIGHT_STEPS * np.log2(size / HEIGHT_UNIT)), 1, 255))
        self.heights[there][classes[here] > 0] = code


def draw_page(rng: Rng, pieces: Pieces, stored: Library, side: int = SIDE) -> tuple[Pictures, NDArray[np.int8]]:
    """Draw a page; return its picture and its target, as in `Pages`."""
    way = rng.random()
    size = float(np.exp(rng.uniform(np.log(7), np.log(44))))
    if way < 0.15:
        sheet = _single(rng, pieces, side)
    elif way < 0.25:
        sheet = _cells(rng, pieces, Sheet(max(size, 9.0), side))
    elif way < 0.42:
        sheet = _table(rng, pieces, Sheet(size, side))
    elif way < 0.88:
        # Of numbers, of words, or of both.
        sheet = _rows(rng, pieces, Sheet(size, side), float(rng.choice([1.0, 0.95, 0.6, 0.3, 0.0, 0.0])))
    else:
        sheet = _junk(rng, pieces, Sheet(size, side))
    if rng.random() < 0.25:
        _scrawl(rng, sheet)
    grey = photo.toned(sheet.ink, np.asarray(sheet.rules), None, rng)
    if rng.random() < 0.12:
        _wheels(rng, sheet, grey, stored)
    classes, heights = sheet.classes, sheet.heights
    if rng.random() < 0.35:
        grey, classes, heights = _tilted(rng, grey, classes, heights)
    if rng.random() < 0.2:
        grey = _on_a_desk(rng, grey, classes)
    if rng.random() < 0.6:
        grey = photo.light(grey, rng)
    if rng.random() < 0.3:
        photo.specks(grey, rng, 1.5)
    picture = Image.fromarray(photo.camera(grey, rng, stored.noise, min(sheet.size, 40.0), rng.random() < 0.3))
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BILINEAR)
    return _turned(rng, stretched(np.asarray(picture)), classes, heights)


def stretched(picture: Pictures) -> Pictures:
    """Stretch the range from the darkest 1 % to the lightest 1 % of a picture, as the finder does in use."""
    from edge_digits_runtime.page.row_finder import stretch

    return stretch(picture)


def _single(rng: Rng, pieces: Pieces, side: int) -> Sheet:
    """One number that takes much of the picture."""
    item = _pick(rng, pieces.numbers if rng.random() < 0.8 else pieces.digits)
    longest = side * rng.uniform(0.3, 1.0)
    size = min(longest / item.ink.shape[1] * (item.base - item.top), rng.uniform(14, 60))
    sheet = Sheet(size, side)
    wide = item.ink.shape[1] * size / (item.base - item.top)
    x, base = rng.uniform(0, max(side - wide, 1)), rng.uniform(size, side - 1)
    if rng.random() < 0.5:
        _ruling(rng, sheet, size * rng.uniform(1.1, 2.0), base)
    elif rng.random() < 0.4:
        m = size * rng.uniform(0.1, 0.5)
        sheet.draw.rectangle(
            (x - m, base - size - m, x + wide + m, base + m), outline=255, width=int(rng.integers(1, 4))
        )
    sheet.put(item, x, base, size, float(rng.normal(0, 0.03)))
    return sheet


def _cells(rng: Rng, pieces: Pieces, sheet: Sheet) -> Sheet:
    """A grid of squares with one digit each, as in puzzles and forms."""
    size, side = sheet.size, sheet.side
    pitch_x = size * rng.uniform(1.2, 2.6)
    pitch_y = pitch_x * rng.uniform(0.85, 1.2) if rng.random() < 0.8 else size * rng.uniform(1.3, 2.6)
    x0, y0 = rng.uniform(-pitch_x, pitch_x), rng.uniform(-pitch_y, pitch_y)
    filled, ruled = rng.uniform(0.2, 1.0), rng.random() < 0.85
    thick = int(rng.integers(1, 3))
    some = [_pick(rng, pieces.digits) for _ in range(12)]
    for row in range(int((side - y0) / pitch_y) + 1):
        y = y0 + row * pitch_y
        if ruled:
            sheet.draw.line((x0, y, side + 5, y), fill=255, width=thick * (2 if row % 3 == 0 and filled < 0.7 else 1))
        for column in range(int((side - x0) / pitch_x) + 1):
            x = x0 + column * pitch_x
            if ruled and row == 0:
                sheet.draw.line(
                    (x, y0, x, side + 5), fill=255, width=thick * (2 if column % 3 == 0 and filled < 0.7 else 1)
                )
            if rng.random() < filled:
                item = _pick(rng, some)
                own = size * float(np.exp(rng.normal(0, 0.07)))
                wide = item.ink.shape[1] * own / (item.base - item.top)
                left = x + (pitch_x - wide) / 2 + rng.normal(0, 0.08) * size
                if wide < pitch_x:
                    sheet.put(item, left, y + (pitch_y + own) / 2 + rng.normal(0, 0.08) * size, own)
    return sheet


def _table(rng: Rng, pieces: Pieces, sheet: Sheet) -> Sheet:
    """Columns of numbers and words, with or without rules."""
    size, side = sheet.size, sheet.side
    pitch = size * rng.uniform(1.4, 3.2)
    edges = [float(rng.uniform(-60, 20))]
    while edges[-1] < side:
        edges.append(edges[-1] + size * rng.uniform(2.5, 9))
    horizontal, vertical = rng.random() < 0.6, rng.random() < 0.6
    thick = int(rng.integers(1, 3))
    wordy = [rng.random() < 0.3 for _ in edges]
    right = rng.random() < 0.4
    y = float(rng.uniform(-pitch, pitch))
    header = rng.random() < 0.3
    while y < side:
        if horizontal:
            sheet.draw.line((-5, y, side + 5, y), fill=255, width=thick)
        for index, (left, end) in enumerate(itertools.pairwise(edges)):
            item = _pick(rng, pieces.words if header or wordy[index] else pieces.numbers)
            own = size * float(np.exp(rng.normal(0, 0.05)))
            wide = item.ink.shape[1] * own / (item.base - item.top)
            room = end - left - wide - 0.3 * size
            if room > 0 and rng.random() < 0.85:
                x = left + 0.15 * size + (room if right else rng.uniform(0, min(room, size)))
                sheet.put(item, x, y + (pitch + own) / 2 + rng.normal(0, 0.05) * size, own)
        header = False
        y += pitch
    if vertical:
        for x in edges:
            sheet.draw.line((x, -5, x, side + 5), fill=255, width=thick)
    return sheet


def _rows(rng: Rng, pieces: Pieces, sheet: Sheet, numbers: float) -> Sheet:
    """Rows of numbers and words, as on a list, a form or a page of text."""
    size, side = sheet.size, sheet.side
    pitch = size * (rng.uniform(1.35, 2.2) if rng.random() < 0.6 else rng.uniform(1.8, 4.5))
    left, width = rng.uniform(-40, side * 0.5), side * (rng.uniform(0.3, 1.2) if rng.random() < 0.6 else 2.0)
    apart = rng.uniform(0.35, 0.6) if numbers < 0.5 else rng.uniform(1.3, 4)
    slope = float(rng.normal(0, 0.03)) if rng.random() < 0.4 else 0.0
    y = float(rng.uniform(0, 2 * pitch))
    if rng.random() < 0.3:
        _ruling(rng, sheet, pitch, y)
    one_kind = rng.random() < 0.4
    words = [_pick(rng, pieces.words) for _ in range(3)] if one_kind else pieces.words
    many = [_pick(rng, pieces.numbers) for _ in range(3)] if one_kind else pieces.numbers
    while y < side + size:
        x = left + rng.uniform(0, 0.5) * size
        end = min(side, left + width)
        while x < end:
            number = rng.random() < numbers
            own = size * float(np.exp(rng.normal(0, 0.04)))
            item = _pick(rng, many if number else words)
            x = sheet.put(item, x, y, own, slope) + size * (max(apart, 1.3) if number else apart) * rng.uniform(
                0.9, 1.2
            )
            if rng.random() < 0.1:
                break
        y += pitch * (1.0 if rng.random() < 0.9 else 2.0)
    return sheet


def _junk(rng: Rng, pieces: Pieces, sheet: Sheet) -> Sheet:
    """No numbers: rules, shapes and scribbles, now and then with words."""
    side, draw = sheet.side, sheet.draw
    for _ in range(int(rng.integers(0, 25))):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), float(np.exp(rng.uniform(1, 4.5)))
        wide, way = int(rng.integers(1, 5)), rng.random()
        a, b = x + r * rng.uniform(0.2, 2), y + r * rng.uniform(0.2, 2)
        if way < 0.35:
            draw.line((x, y, x + rng.normal(0, r * 2), y + rng.normal(0, r * 2)), fill=255, width=wide)
        elif way < 0.55:
            draw.ellipse(
                (x, y, a, b), outline=255, width=wide, fill=int(rng.integers(0, 255)) if rng.random() < 0.3 else None
            )
        elif way < 0.75:
            draw.rectangle(
                (x, y, a, b), outline=255, width=wide, fill=int(rng.integers(0, 255)) if rng.random() < 0.4 else None
            )
        else:
            points = np.cumsum(rng.normal(0, r / 2, (int(rng.integers(3, 14)), 2)), 0) + np.array((x, y))
            draw.line([tuple(point) for point in points.tolist()], fill=255, width=wide, joint="curve")
    if rng.random() < 0.4:
        _ruling(rng, sheet, sheet.size * rng.uniform(0.6, 3), 0.0)
    for _ in range(int(rng.integers(0, 5))):
        sheet.put(
            _pick(rng, pieces.words), rng.uniform(-40, side), rng.uniform(0, side), sheet.size, rng.normal(0, 0.1)
        )
    return sheet


def _scrawl(rng: Rng, sheet: Sheet) -> None:
    """Draw a few loops or dashes between the writing."""
    for _ in range(int(rng.integers(1, 4))):
        at = rng.uniform(0, sheet.side, 2)
        points = np.cumsum(rng.normal(0, sheet.size * rng.uniform(0.2, 1.2), (int(rng.integers(2, 12)), 2)), 0) + at
        # Nothing over the numbers: they would be crossed out.
        rows, columns = np.clip(points.T[::-1].astype(int), 0, sheet.side - 1)
        if not sheet.classes[rows, columns].any():
            sheet.draw.line([tuple(p) for p in points.tolist()], fill=255, width=int(rng.integers(1, 4)), joint="curve")


def _ruling(rng: Rng, sheet: Sheet, pitch: float, y: float) -> None:
    """Rule the sheet: lines, or squares."""
    side = sheet.side
    below = rng.uniform(0, 0.25) * sheet.size
    for k in range(-int(y / pitch) - 1, int((side - y) / pitch) + 2):
        sheet.draw.line((-5, y + below + k * pitch, side + 5, y + below + k * pitch), fill=255, width=1)
    if rng.random() < 0.35:
        step = pitch * rng.choice([0.5, 1.0])
        for k in range(int(side / step) + 1):
            sheet.draw.line((k * step, -5, k * step, side + 5), fill=255, width=1)


def _wheels(rng: Rng, sheet: Sheet, grey: photo.Grey, stored: Library) -> None:
    """Put the digits of a meter on the sheet, over whatever is there."""
    size = float(rng.uniform(10, 45))
    high = round(size * 1.45)
    picture, _ = displays.wheels(stored, rng, high)
    if picture.shape[1] >= sheet.side or high >= sheet.side:
        return
    wide = picture.shape[1]
    x, y = int(rng.integers(0, sheet.side - wide)), int(rng.integers(0, sheet.side - high))
    frame = int(rng.integers(0, 6))
    around = np.s_[max(y - frame, 0) : y + high + frame, max(x - frame, 0) : x + wide + frame]
    if frame:
        grey[around] = rng.uniform(0, 255)
    grey[y : y + high, x : x + wide] = picture
    clear = np.s_[max(y - high // 3, 0) : y + high + high // 3, max(x - high // 3, 0) : x + wide + high // 3]
    # What it covers in part is neither there nor not there.
    sheet.classes[clear][sheet.classes[clear] > 0] = 255
    sheet.classes[y : y + high, x : x + wide] = NOTHING
    core = np.s_[
        y + round(0.35 * high) : y + round(0.65 * high), x + round(0.05 * high) : x + wide - round(0.05 * high)
    ]
    sheet.classes[core] = UPRIGHT
    sheet.heights[core] = np.uint8(round(128 + HEIGHT_STEPS * np.log2(size / HEIGHT_UNIT)))


def _tilted(rng: Rng, grey: photo.Grey, classes: Pictures, heights: Pictures) -> tuple[photo.Grey, Pictures, Pictures]:
    """Turn a page by a few degrees, in half of the cases in perspective."""
    side = len(grey)
    angle, shear = float(np.clip(rng.normal(0, 0.05), -0.14, 0.14)), float(rng.normal(0, 0.03))
    a, b, d, e = 1.0, angle + shear, -angle, 1.0
    c, f = side / 2 * (1 - a - b), side / 2 * (1 - d - e)
    g, h = (rng.normal(0, 0.12, 2) / side).tolist() if rng.random() < 0.5 else (0.0, 0.0)
    n = 1 - (g + h) * side / 2
    data = (
        *((v + w * side / 2) / n for v, w in ((a, g), (b, h))), (c - (g + h) * side**2 / 4) / n,
        *((v + w * side / 2) / n for v, w in ((d, g), (e, h))), (f - (g + h) * side**2 / 4) / n, g / n, h / n,
    )  # fmt: skip
    pad = 24
    wider = np.pad(grey, pad, mode="edge")
    moved = []
    for plane, how in (
        (wider, Image.Resampling.BILINEAR),
        (classes, Image.Resampling.NEAREST),
        (heights, Image.Resampling.NEAREST),
    ):
        offset = pad if plane is wider else 0
        # Padded pictures have their pixels further right and down.
        own = (
            data[0] + offset * data[6], data[1] + offset * data[7], data[2] + offset,
            data[3] + offset * data[6], data[4] + offset * data[7], data[5] + offset, data[6], data[7],
        )  # fmt: skip
        moved.append(np.array(Image.fromarray(plane).transform((side, side), Image.Transform.PERSPECTIVE, own, how)))
    return moved[0], moved[1], moved[2]


def _on_a_desk(rng: Rng, grey: photo.Grey, classes: Pictures) -> photo.Grey:
    """Show what the sheet lies on, where there is no writing, beyond one or two edges."""
    side = len(grey)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    for _ in range(int(rng.integers(1, 3))):
        angle = rng.integers(0, 4) * np.pi / 2 + rng.normal(0, 0.08)
        away = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
        written = away[classes > 0]
        most = float(written.max()) + 4 if len(written) else float(np.quantile(away, 0.3))
        edge = max(most, float(np.quantile(away, rng.uniform(0.6, 0.97))))
        desk = rng.uniform(0, 255) + rng.normal(0, 12) * np.sin(
            y * np.float32(rng.uniform(0.02, 0.5)) + x * np.float32(rng.uniform(0, 0.05))
        )
        grey = np.where(away > edge, desk, grey).astype(np.float32)
    return grey


def _turned(rng: Rng, picture: Pictures, classes: Pictures, heights: Pictures) -> tuple[Pictures, NDArray[np.int8]]:
    """Turn a page by quarters of a circle, and return its target."""
    step = CELL // PARTS
    parts = classes[step // 2 :: step, step // 2 :: step].astype(np.int16)
    coded = heights[step // 2 :: step, step // 2 :: step].astype(np.int16) - 128
    size = HEIGHT_UNIT * 2.0 ** (coded / HEIGHT_STEPS)
    written = parts > 0
    fitting = (size >= SMALLEST) & (size <= LARGEST)
    tolerated = (size >= _TOLERATED[0]) & (size <= _TOLERATED[1])
    parts = np.where(written & ~fitting, np.where(tolerated, IGNORED, NOTHING), parts)
    parts[parts == 255] = IGNORED
    quarters = int(rng.choice(4, p=[0.55, 0.15, 0.15, 0.15]))
    parts[parts == UPRIGHT] += quarters
    both = np.rot90(np.stack([parts, np.where(written, np.clip(coded, -127, 127), 0)], 2), quarters)
    cells = len(parts) // PARTS
    # Cells, and the parts of each one after another.
    target = (
        both.reshape(cells, PARTS, cells, PARTS, 2).transpose(0, 2, 1, 3, 4).reshape(cells, cells, PARTS * PARTS, 2)
    )
    return np.ascontiguousarray(np.rot90(picture, quarters)), target.astype(np.int8)


def _pick(rng: Rng, items: list[Item]) -> Item:
    return items[int(rng.integers(len(items)))]
