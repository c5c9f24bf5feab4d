"""Sheets: pages under composition, with what is to be found on them, and the pieces that they are composed of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from edge_digits_runtime.page.decoding import REJECT
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_digits_train.lines import generator, layout, page_items
from edge_digits_train.lines.charset import is_letter
from edge_digits_train.lines.library import Library
from edge_digits_train.lines.page_items import Item

Rng = np.random.Generator
Pictures = NDArray[np.uint8]
SIDE = 256
"""Side of a page, in pixels."""
CELL, PARTS = 8, 4
"""The network answers for cells of 8 × 8 pixels, each divided into 4 × 4 parts."""
NOTHING, OTHER, LEVEL, SIDEWAYS = 0, 1, 2, 3
"""Classes of a part: no writing, writing that is no number, a number upright or upside down, and one on its side.

Which way up a number is, its reader can tell far better: it sees all of it, and sharper."""
IGNORED = -1
"""Instead of a class where any answer is right."""
SMALLEST, LARGEST = 8.0, 24.0
"""Heights of digits that are to be found, in pixels."""
TOLERATED = 6.0, 32.0
"""Heights that may be found."""
HEIGHT_UNIT, HEIGHT_STEPS = 16.0, 32
"""Heights are given as logarithms to the base 2 of 16ths of pixels, in a target in 32nds."""
NO_HEIGHT = -128
"""Instead of a height where there is no number. Digits that are too small or too large to be found have heights: so
those at the verge are not estimated as smaller, or larger, than they are."""
_CORE = 0.25
"""The class of a line stands in the middle half of its digits: it begins this share below the top of a digit."""
_NARROWEST = 0.4
_PIECES = 80


@dataclass(frozen=True)
class Pieces:
    """Numbers, digits, words and whole lines that pages are composed of."""

    numbers: list[Item]
    digits: list[Item]
    words: list[Item]
    cuttings: list["Cutting"]

    @classmethod
    def draw(cls, rng: Rng, stored: Library, each: int = _PIECES) -> "Pieces":
        """Draw so many of each kind."""
        return cls(
            [page_items.draw_number(rng, stored) for _ in range(each)],
            [page_items.draw_digit(rng, stored) for _ in range(each)],
            [page_items.draw_words(rng, stored) for _ in range(each)],
            [Cutting.draw(rng, stored) for _ in range(each)],
        )


@dataclass(frozen=True)
class Cutting:
    """The picture of one line, such as the cell of a table or the window of a meter, and what is to be found in it."""

    picture: Pictures
    classes: Pictures
    """Shape as the picture."""
    size: float
    """Height of its digits in pixels."""

    @classmethod
    def draw(cls, rng: Rng, stored: Library) -> "Cutting":
        """Draw one."""
        drawn = generator.draw(rng, stored)
        size = drawn.base - drawn.top
        classes = np.zeros(drawn.picture.shape, np.uint8)
        # An empty cell has no label.
        spans = page_items.spans(drawn.boxes, page_items.numbers_in(drawn.text), size) if drawn.label else []
        crossed_out = REJECT in drawn.label and not any(map(is_letter, drawn.text))
        for kind in (OTHER, LEVEL):
            plane = np.zeros((layout.HEIGHT, drawn.width), np.float32)
            for left, right, number in spans:
                if number == (kind == LEVEL):
                    _mark(plane, left, right, drawn.top, drawn.base, 255)
            classes[drawn.moved(plane) > 127] = 255 if crossed_out else kind
        return cls(drawn.picture, classes, size * drawn.picture.shape[0] / layout.HEIGHT)


def _mark(plane: NDArray[Any], left: float, right: float, top: float, base: float, value: int) -> None:
    """Write a value where the class of a number stands."""
    size = base - top
    missing = max(0.0, _NARROWEST * size - (right - left)) / 2
    y0, y1 = round(top + _CORE * size), round(base - _CORE * size)
    x0, x1 = max(round(left - missing), 0), round(right + missing)
    plane[max(y0, 0) : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = value


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
            classes[up + pad : max(down, up + 1) + pad, max(x0, 0) : max(x1, x0 + 1)] = LEVEL if number else OTHER
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
        here, there = np.s_[y0 - y : y1 - y, x0 - x : x1 - x], np.s_[y0:y1, x0:x1]
        np.maximum(self.ink[there], ink[here], out=self.ink[there])
        np.maximum(self.classes[there], classes[here], out=self.classes[there])
        self.heights[there][classes[here] > 0] = height_code(size)


def height_code(size: float) -> np.uint8:
    """Return how a height is written down."""
    return np.uint8(np.clip(round(128 + HEIGHT_STEPS * np.log2(size / HEIGHT_UNIT)), 1, 255))
