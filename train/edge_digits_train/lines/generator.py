"""Pictures of lines of numbers and what they say, made from a seed.

A line is a function of its seed and its number: it does not matter which process makes it, or what was made before.
What a line says and how it looks is drawn by chance: a text (`grammar`), written by hand (`writing`), printed
(`typefaces`) or shown by a display or a meter (`displays`); rules and margins around it (`layout`); paper, light and
camera (`photo`).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from edge_digits_runtime.data.datasets import DataSet, Split, nothing
from edge_digits_runtime.image.line import HEIGHT, WIDTH, prepare_line
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.page.decoding import REJECT, tidy
from numpy.typing import NDArray

from edge_digits_train.lines import displays, grammar, layout, library, photo, typefaces, writing
from edge_digits_train.lines.charset import LABELS, LONGEST, is_letter, label_of
from edge_digits_train.lines.hand import draw_hand, make_coarse
from edge_digits_train.lines.library import Library
from edge_digits_train.lines.pages import Pages

Rng = np.random.Generator
Pictures = NDArray[np.uint8]
_WHEELS, _DISPLAY, _PRINT = 0.08, 0.08, 0.28
"""Shares of the lines; the rest is written by hand."""
_COARSE = 0.3
"""Share of the handwritten lines whose digits are small pictures that were enlarged."""
_EMPTY = 0.03
TEST_LINES, TEST_SEED = 1_000, 999_998
"""Number and seed of the lines of `held_out_lines`."""
_CHUNK = 256
"""Number of lines that a process makes at a time."""


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


def held_out_lines(folder: Path | None = None) -> DataSet:
    """Make the lines that every line reader is tested on, of writers, fonts and meters that no training line has.

    None of them is among the lines that are used for validation.

    Args:
        folder: of the library; None for that of this computer.
    """
    with line_maker(1, folder) as maker:
        made = maker.make(TEST_LINES, TEST_SEED, held_out=True)
    form = Input("line", HEIGHT, WIDTH)
    test = Split(made.pictures, np.array(made.labels, np.str_))
    return DataSet(f"made lines {library.VERSION}", nothing(form), test, LABELS, form)


Made = TypeVar("Made", Lines, Pages)


class Maker(Generic[Made]):
    """Makes lines or pages, in this process or in several; see `line_maker` and `page_maker`."""

    def __init__(self, kind: type[Made], folder: Path, pool: ProcessPoolExecutor | None = None) -> None:
        self._kind: type[Made] = kind
        self._folder, self._pool = folder, pool

    def make(self, count: int, seed: int, first: int = 0, held_out: bool = False) -> Made:
        """Make the lines ``first`` to ``first + count - 1`` of a seed.

        Args:
            count: number of lines.
            seed: at least 0.
            first: number of the first line.
            held_out: whether they are made of writers, fonts and meters that no training line has anything of.
        """
        return self.begin(count, seed, first, held_out)()

    def begin(self, count: int, seed: int, first: int = 0, held_out: bool = False) -> Callable[[], Made]:
        """Start to make lines, where there are processes for it, and return what waits for them; as `make`."""
        starts = range(first, first + count, _CHUNK)
        jobs = [(self._kind, self._folder, held_out, seed, at, min(_CHUNK, first + count - at)) for at in starts]
        parts = map(_make, jobs) if self._pool is None else self._pool.map(_make, jobs)
        return lambda: self._kind.joined(list(parts))


def line_maker(processes: int = 1, folder: Path | None = None) -> AbstractContextManager[Maker[Lines]]:
    """Open a `Maker` of lines with so many processes of its own; with 1, lines are made in this one.

    Args:
        processes: at least 1.
        folder: of the library; None for that of this computer, which is made if it is not there yet.
    """
    return _maker(Lines, processes, folder)


def page_maker(processes: int = 1, folder: Path | None = None) -> AbstractContextManager[Maker[Pages]]:
    """Open a `Maker` of pages; as `line_maker`."""
    return _maker(Pages, processes, folder)


@contextmanager
def _maker(kind: type[Made], processes: int, folder: Path | None) -> Iterator[Maker[Made]]:
    folder = folder or library.library_folder(processes)
    if processes == 1:
        yield Maker(kind, folder)
        return
    # Not forked: the caller may have threads, as TensorFlow has.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield Maker(kind, folder, pool)


def make_line(seed: int, number: int, stored: Library) -> tuple[Pictures, str]:
    """Make one line: its prepared picture ``(32, 264)`` and its label."""
    rng = np.random.default_rng((seed, number))
    while True:
        picture, label = draw_line(rng, stored)
        if len(label) <= LONGEST:
            return prepare_line(picture), label


def draw_line(rng: Rng, stored: Library) -> tuple[Pictures, str]:
    """Draw the picture of a line, before it is prepared, and its label."""
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
    if rng.random() < 0.65:
        grey = photo.warp(grey, rng)
    lit = rng.random() < 0.6
    if lit:
        grey = photo.light(grey, rng)
    if rng.random() < 0.15:
        photo.specks(grey, rng, found.pen * 0.5)
    return photo.camera(grey, rng, stored.noise, base - top, not lit), label


@dataclass(frozen=True)
class _Found:
    """A text, drawn."""

    written: layout.Written
    label: str
    pen: float
    """Half the width of its strokes in pixels, about."""


def _make(job: tuple[type[Made], Path, bool, int, int, int]) -> Made:
    kind, folder, held_out, seed, first, count = job
    return kind.made(library.load(folder, held_out), seed, first, count)


def _meter(rng: Rng, stored: Library) -> tuple[Pictures, str]:
    wheels, label = displays.wheels(stored, rng, layout.HEIGHT)
    grey = wheels.astype(np.float32)
    if rng.random() < 0.5:
        grey = photo.warp(grey, rng)
    if rng.random() < 0.4:
        grey = photo.light(grey, rng)
    if rng.random() < 0.15:
        grey = 255 - grey
    return photo.camera(grey, rng, stored.noise, layout.HEIGHT * 0.6), label


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
