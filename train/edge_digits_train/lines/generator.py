"""Pictures of lines of numbers and what they say, made from a seed.

A line is a function of its seed and its number: it does not matter which process makes it, or what was made before.
What a line says and how it looks is drawn by chance: a text (`grammar`), written by hand (`writing`), printed
(`typefaces`) or shown by a display or a meter (`displays`); rules and margins around it (`layout`); paper, light and
camera (`photo`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from edge_digits_runtime.image.line import HEIGHT, WIDTH, prepare_line
from edge_digits_runtime.page.decoding import REJECT, tidy
from numpy.typing import NDArray
from PIL import Image

from edge_digits_train.lines import displays, grammar, layout, photo, typefaces, writing
from edge_digits_train.lines.charset import LONGEST, is_letter, label_of
from edge_digits_train.lines.hand import draw_hand, make_coarse
from edge_digits_train.lines.library import Library

Rng = np.random.Generator
Pictures = NDArray[np.uint8]
_WHEELS, _DISPLAY, _PRINT = 0.08, 0.08, 0.28
"""Shares of the lines; the rest is written by hand."""
_COARSE = 0.3
"""Share of the handwritten lines whose digits are small pictures that were enlarged."""
_EMPTY = 0.03


@dataclass(frozen=True)
class Lines:
    """Pictures of lines and their labels."""

    pictures: Pictures
    """As the network takes them, shape ``(n, 32, 264)``."""
    labels: list[str]
    """What a reader is to say of each, at most `LONGEST` characters of `edge_digits_train.lines.charset.LABELS`."""

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def made(cls, stored: Library, seed: int, first: int, count: int) -> "Lines":
        """Make the lines ``first`` to ``first + count - 1`` of a seed."""
        made = [make_line(seed, number, stored) for number in range(first, first + count)]
        return cls(np.stack([picture for picture, _ in made]), [label for _, label in made])

    @classmethod
    def joined(cls, parts: Sequence["Lines"]) -> "Lines":
        """Join parts."""
        pictures = [part.pictures for part in parts] or [np.zeros((0, HEIGHT, WIDTH), np.uint8)]
        return cls(np.concatenate(pictures), [label for part in parts for label in part.labels])


def make_line(seed: int, number: int, stored: Library) -> tuple[Pictures, str]:
    """Make one line: its prepared picture ``(32, 264)`` and its label."""
    rng = np.random.default_rng((seed, number))
    while True:
        picture, label = draw_line(rng, stored)
        if len(label) <= LONGEST:
            return prepare_line(picture), label


def draw_line(rng: Rng, stored: Library) -> tuple[Pictures, str]:
    """Draw the picture of a line, before it is prepared, and its label."""
    drawn = draw(rng, stored)
    return drawn.picture, drawn.label


@dataclass(frozen=True)
class Drawn:
    """The picture of a line, and where its characters are."""

    picture: Pictures
    label: str
    text: str
    """What was written; the label has no letters, and not what was crossed out."""
    top: int
    """Row of the top of a digit, in a picture of `layout.HEIGHT` rows that was not warped."""
    base: int
    """Row of the baseline, likewise."""
    boxes: list[tuple[float, float, str]]
    """First and last column of each character, likewise; spaces left out."""
    width: int
    """Columns of that picture."""
    warped: Mapping[str, Any] | None
    """State of the generator of chance before the picture was warped; None if it was not."""

    def moved(self, plane: photo.Grey) -> photo.Grey:
        """Warp a plane of ``(layout.HEIGHT, width)`` as the picture was, and return it in the size of the picture."""
        if self.warped is not None:
            rng = np.random.default_rng()
            rng.bit_generator.state = self.warped
            plane = photo.warp(plane, rng)
        high, wide = self.picture.shape
        return np.asarray(Image.fromarray(plane).resize((wide, high), Image.Resampling.BILINEAR))


def draw(rng: Rng, stored: Library) -> Drawn:
    """Draw the picture of a line, before it is prepared."""
    way = rng.random()
    if way < _WHEELS:
        return _meter(rng, stored)
    text = _text(rng)
    room = layout.margins(rng, min(len(text), 20))
    empty = rng.random() < _EMPTY
    found = _displayed(rng, text, room.size) if way < _WHEELS + _DISPLAY else None
    if found is None:
        found = (_printed if way > 1 - _PRINT else _handwritten)(rng, stored, text, room.size)
    ink, top, base, shift = layout.place(found.written, room)
    boxes = [(left + shift, right + shift, character) for left, right, character in found.written.boxes]
    others = layout.neighbours(ink, top, base, rng) if rng.random() < 0.1 else None
    label = found.label
    if empty:
        ink, label, boxes = np.zeros_like(ink), "", []
        if rng.random() < 0.5:
            ink = ink[:, : max(24, int(rng.uniform(0.2, 1) * ink.shape[1]))]
            others = None if others is None else others[:, : ink.shape[1]]
    grey = photo.toned(ink, layout.rules(ink, top, base, boxes, rng), others, rng)
    warped = None
    if rng.random() < 0.65:
        warped = rng.bit_generator.state
        grey = photo.warp(grey, rng)
    lit = rng.random() < 0.6
    if lit:
        grey = photo.light(grey, rng)
    if rng.random() < 0.15:
        photo.specks(grey, rng, found.pen * 0.5)
    picture = photo.camera(grey, rng, stored.noise, base - top, not lit)
    return Drawn(picture, label, text, top, base, boxes, ink.shape[1], warped)


@dataclass(frozen=True)
class _Found:
    """A text, drawn."""

    written: layout.Written
    label: str
    pen: float
    """Half the width of its strokes in pixels, about."""


def _meter(rng: Rng, stored: Library) -> Drawn:
    wheels, label = displays.wheels(stored, rng, layout.HEIGHT)
    grey = wheels.astype(np.float32)
    warped = None
    if rng.random() < 0.5:
        warped = rng.bit_generator.state
        grey = photo.warp(grey, rng)
    if rng.random() < 0.4:
        grey = photo.light(grey, rng)
    if rng.random() < 0.15:
        grey = 255 - grey
    picture = photo.camera(grey, rng, stored.noise, layout.HEIGHT * 0.6)
    # A digit takes about two thirds of its window.
    top, base = round(layout.HEIGHT * 0.17), round(layout.HEIGHT * 0.83)
    wide = wheels.shape[1]
    each = wide / len(label)
    boxes = [((k + 0.15) * each, (k + 0.85) * each, digit) for k, digit in enumerate(label)]
    return Drawn(picture, label, label, top, base, boxes, wide, warped)


def _text(rng: Rng) -> str:
    """Return what is to be written: numbers, words, or both."""
    way = rng.random()
    if way < 0.845:
        return grammar.text(rng, 18)
    if way < 0.865:
        # A line of running text, which is squeezed as wide lines are.
        return " ".join(grammar.word(rng, 1, 9) for _ in range(int(rng.integers(4, 10))))[:60].strip()
    if way < 0.94:
        words = [grammar.word(rng) for _ in range(int(rng.integers(1, 4)))]
        if rng.random() < 0.2:
            words[0] += ":" if rng.random() < 0.5 else "."
        return " ".join(words)[:16].strip()
    return _number_and_word(rng)


def _number_and_word(rng: Rng) -> str:
    number = grammar.text(rng, 9)
    if rng.random() < 0.55:
        unit = str(rng.choice(grammar.UNITS)) if rng.random() < 0.7 else grammar.word(rng, 2, 6)
        return number + (" " if rng.random() < 0.6 else "") + unit
    if rng.random() < 0.6:
        return grammar.word(rng, 2, 6) + str(rng.choice(["", ".", ":"])) + " " + number
    letter = str(rng.choice(list("ACEFHKMNPRTUVWXacdefhkmnprtuvw")))
    place = int(rng.integers(0, len(number) + 1))
    return number[:place] + letter + number[place:]


def _handwritten(rng: Rng, stored: Library, text: str, size: float) -> _Found:
    manner = draw_hand(rng, size, stored)
    if rng.random() < _COARSE:
        make_coarse(manner, rng)
    each = 0.9 * manner.wide + max(manner.gap, 0) + abs(manner.slant) * 0.4 + manner.pitch
    if manner.coarse and manner.coarse.boxed:
        each = max(each, manner.coarse.boxed + max(manner.gap, 0) + manner.pitch + 0.3)
    longest = size * (9 + sum(1.0 if character != " " else 1.8 for character in text) * each)
    writer = writing.Writer(stored, manner, rng, min(longest, 3000))
    label = label_of(text)
    way = rng.random()
    if way < 0.02:
        wide = float(rng.uniform(0.6, 3))
        if rng.random() < 0.5:
            label = REJECT
        else:
            writer.write(text)
            writer.x += size * 0.4
            label = tidy(label + REJECT)
        writer.scribble(wide)
    else:
        writer.write(text)
        if way < 0.045 and not any(is_letter(character) for character in text):
            label = _cross_out(rng, writer, text)
    return _Found(layout.Written(writer.ink, writer.top, writer.base, writer.boxes), label, manner.pen)


def _cross_out(rng: Rng, writer: writing.Writer, text: str) -> str:
    """Cross out some characters of a text without letters that was just written; return the label of what is left."""
    count = len(writer.boxes)
    start = int(rng.integers(0, count))
    end = int(rng.integers(start + 1, count + 1)) if rng.random() < 0.5 else count
    writer.cross_out(writer.boxes[start][0], writer.boxes[end - 1][1])
    # The boxes leave the spaces out.
    places = np.cumsum([character != " " for character in text]) - 1
    marked = [
        REJECT if character != " " and start <= place < end else character
        for character, place in zip(text, places.tolist(), strict=True)
    ]
    return label_of("".join(marked))


def _printed(rng: Rng, stored: Library, text: str, size: float) -> _Found:
    faces = stored.faces
    pool = np.flatnonzero(faces.held_out == stored.held_out)
    for _ in range(20):
        face = int(pool[int(rng.integers(len(pool)))])
        shown = text.replace("×", str(rng.choice(["×", "×", "x", "*"])))
        if faces.has(face, shown):
            break
    else:
        # Every face has the letters and these signs.
        shown = "".join(c if c in "0123456789.,-+/:=() " or (c.isalpha() and c != "×") else "-" for c in text)
    # Where a multiplication sign was printed as an x, that is what the x means.
    label = label_of(shown.replace("x", "×") if "×" in text and "×" not in shown else shown)
    spacing = float(rng.normal(0.02, 0.03)) if rng.random() < 0.85 else float(rng.uniform(0.1, 0.5))
    space = 0.35 + max(spacing, 0) * 1.5 + rng.uniform(0, 0.35)
    printed = typefaces.draw(faces, face, shown, spacing, space)
    scale = size / typefaces.HEIGHT
    scale_x = scale * rng.uniform(0.85, 1.15)
    ink = typefaces.resized(printed.ink, scale_x, scale)
    if rng.random() < 0.1:
        # Ink that ran, or that did not take.
        ink = np.clip((ink.astype(np.float32) - rng.uniform(60, 200)) * 3 + 128, 0, 255).astype(np.uint8)
    boxes = [(left * scale_x, right * scale_x, character) for left, right, character in printed.boxes]
    base = round(printed.baseline * scale)
    return _Found(_padded(ink, base - round(size), base, boxes), label, size * 0.05)


def _displayed(rng: Rng, text: str, size: float) -> _Found | None:
    """Show a text on a display, if it has all the characters."""
    segments = rng.random() < 0.7
    if segments and (not set(text) <= displays.SEGMENTS or text[0] in ".,: "):
        return None
    if not set(text) <= displays.DOTS:
        return None
    high = round(size)
    if segments:
        text = text.replace(" ", "")
        ink, boxes = displays.segments(text, rng, high)
    else:
        ink, boxes = displays.dots(text, rng, high)
    return _Found(_padded(ink, 0, high, [(float(a), float(b), c) for a, b, c in boxes]), label_of(text), size * 0.06)


def _padded(ink: Pictures, top: int, base: int, boxes: list[tuple[float, float, str]]) -> layout.Written:
    """Return drawn text with room above and below: a row of points has its digits' tops far above its own ink."""
    pad = layout.HEIGHT
    return layout.Written(np.pad(ink, ((pad, pad), (0, 0))), top + pad, base + pad, boxes)
