"""Pieces of pages: numbers and words, written by hand, printed or shown on a display, with what is a number in them."""

import itertools
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_digits_train.lines import displays, grammar, typefaces, writing
from edge_digits_train.lines.charset import is_letter
from edge_digits_train.lines.hand import draw_hand
from edge_digits_train.lines.library import Library

Rng = np.random.Generator
Ink = NDArray[np.uint8]
SIZE = 40
"""Height of a digit in the ink of a piece, in pixels."""
GAP = 1.2
"""Gap between two numbers from which on they are two lines, in heights of a digit."""
_UNIT = re.compile(r"[-+]?\d[\d.,]*(?=[A-Za-z]+$)")


@dataclass(frozen=True)
class Item:
    """One piece."""

    ink: Ink
    """255 is ink; cut to its box."""
    top: int
    """Row of the top of a digit; below 0 if all of the ink is lower."""
    base: int
    """Row of the baseline."""
    spans: tuple[tuple[int, int, bool], ...]
    """First and last column of each run of characters, and whether it is a number."""
    number: bool
    """Whether it has a number."""


def draw_number(rng: Rng, stored: Library, longest: int = 14) -> Item:
    """Draw a number, in one case in eight with a word or unit beside it."""
    text = grammar.text(rng, longest)
    if rng.random() < 0.12:
        unit = str(rng.choice(grammar.UNITS)) if rng.random() < 0.6 else grammar.word(rng, 2, 6)
        if rng.random() < 0.6:
            text = text + (" " if rng.random() < 0.6 else "") + unit
        else:
            text = f"{unit}{rng.choice(['', '.', ':'])} {text}"
    return draw(rng, stored, text)


def draw_digit(rng: Rng, stored: Library) -> Item:
    """Draw a number of one or two digits, as in the cells of forms and puzzles."""
    return draw(rng, stored, grammar.number(rng, 1, 1 if rng.random() < 0.8 else 2, 1.0))


def draw_words(rng: Rng, stored: Library) -> Item:
    """Draw one to three words."""
    words = [grammar.word(rng, 1, 9) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.25:
        words[-1] = words[-1][:7] + str(rng.choice(list(".,:-")))
    return draw(rng, stored, " ".join(words)[:20].strip())


def draw(rng: Rng, stored: Library, text: str) -> Item:
    """Draw a text: printed, written by hand, or on a display."""
    way = rng.random()
    if way < 0.1 and set(text) <= displays.DOTS:
        if way < 0.07 and set(text) <= displays.SEGMENTS and text[0] not in ".,: ":
            text = text.replace(" ", "")
            ink, boxes = displays.segments(text, rng, SIZE)
        else:
            ink, boxes = displays.dots(text, rng, SIZE)
        return _item(ink, 0, SIZE, [(float(a), float(b), c) for a, b, c in boxes], text)
    if way < 0.5:
        return _printed(rng, stored, text)
    manner = draw_hand(rng, SIZE, stored)
    longest = SIZE * (4 + 2.2 * len(text) * max(1.0, manner.pitch + max(manner.gap, 0)))
    writer = writing.Writer(stored, manner, rng, min(longest, 3000))
    writer.write(text)
    return _item(writer.ink, writer.top, writer.base, writer.boxes, text)


def _printed(rng: Rng, stored: Library, text: str) -> Item:
    faces = stored.faces
    pool = np.flatnonzero(faces.held_out == stored.held_out)
    for _ in range(20):
        face = int(pool[int(rng.integers(len(pool)))])
        if faces.has(face, text):
            break
    else:
        text = "".join(c if c.isdigit() or (c.isalpha() and c != "×") or c in " .,-" else "-" for c in text)
    printed = typefaces.draw(faces, face, text, float(rng.normal(0.02, 0.03)), 0.35 + float(rng.uniform(0, 0.3)))
    scale = float(rng.uniform(0.85, 1.15))
    ink = typefaces.resized(printed.ink, scale, 1.0)
    boxes = [(left * scale, right * scale, character) for left, right, character in printed.boxes]
    return _item(ink, printed.baseline - typefaces.HEIGHT, printed.baseline, boxes, text)


def _item(ink: Ink, top: int, base: int, boxes: list[tuple[float, float, str]], text: str) -> Item:
    rows, columns = np.flatnonzero(ink.max(1) > 40), np.flatnonzero(ink.max(0) > 40)
    if not len(rows):
        rows, columns = np.arange(len(ink)), np.arange(ink.shape[1])
    first, left = int(rows[0]), int(columns[0])
    cut = ink[first : rows[-1] + 1, left : columns[-1] + 1]
    found = spans(boxes, numbers_in(text), base - top)
    moved = tuple((round(a - left), round(b - left), number) for a, b, number in found)
    return Item(cut, top - first, base - first, moved, any(number for _, _, number in moved))


def numbers_in(text: str) -> list[bool]:
    """Return for each character of a text, spaces left out, whether it belongs to a number.

    A word that has a letter is none, but for a unit behind a number. Signs alone belong to the number beside them.

    Example:
        >>> "".join("n" if number else "." for number in numbers_in("No 12.5kg = 3"))
        '..nnnn..nn'
    """
    words = text.split()
    kinds: list[list[bool] | None] = []
    for word in words:
        if any(is_letter(character) for character in word):
            unit = _UNIT.match(word)
            count = unit.end() if unit else 0
            kinds.append([True] * count + [False] * (len(word) - count))
        else:
            kinds.append([True] * len(word) if any(map(str.isdigit, word)) else None)
    result: list[bool] = []
    for index, (word, kind) in enumerate(zip(words, kinds, strict=True)):
        if kind is None:
            beside = [other for other in kinds[max(index - 1, 0) : index + 2] if other is not None]
            kind = [not beside or any(all(other) for other in beside)] * len(word)
        result += kind
    return result


def spans(boxes: list[tuple[float, float, str]], numbers: list[bool], size: int) -> list[tuple[float, float, bool]]:
    """Join the boxes of characters of a kind that are near each other."""
    result: list[tuple[float, float, bool]] = []
    for (left, right, _), number in zip(boxes, itertools.chain(numbers, itertools.repeat(True)), strict=False):
        if result and result[-1][2] == number and left - result[-1][1] < GAP * size:
            result[-1] = result[-1][0], max(result[-1][1], right), number
        else:
            result.append((left, right, number))
    return result
