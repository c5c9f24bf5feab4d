"""The shapes of digits on wheels: typefaces made up of strokes, and printed ones.

Few of the typefaces of a computer look like those of meters, which are engraved or stamped: upright strokes of one
width, with corners from square to round. So half of the wheels have such a face, made up anew for each picture.
"""

import functools
import re
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from edge_digits_train.lines import typefaces

Rng = np.random.Generator
Grey = NDArray[np.float32]
Point = tuple[float, float]
_PLAIN = re.compile(
    r"Sans|Gothic|Heros|Arimo|^Inter|Roboto (?!Slab)|Roadgeek|Routed|B612|Bebas|Cabin|Cantarell|Dosis|Gillius|^Hack"
    r"|Jura|Karla|Liberation Mono|Manrope|Millimetre|Nanum(?!Myeongjo)|Noto Mono|Oxygen|PT Mono|Universalis|Yanone"
    r"|osifont|mononoki|Sora|Fira|JetBrains|Adventor|Tuffy|^BM (DoH|HAN|JUA)|League|OCR|Comfortaa|Biolinum|Agave"
    r"|Inconsolata|monofur|^Go|Lato|Cousine|Hermit|Carlito|Play|Quicksand|3270"
)
_SLANTED = re.compile(r"Ital|Obliq|Thin|UltraLight|ExtraLight|Roboto Slab")
_FINER = 2
"""Strokes are drawn so many times as large."""


class Face(Protocol):
    """Draws digits that belong together."""

    def digit(self, digit: int, high: float) -> Grey:
        """Return a digit, 0 to 1, shape ``(high, w)``."""


class StrokeFace:
    """Digits made of strokes of one width, all by the same few choices."""

    def __init__(self, rng: Rng) -> None:
        """Choose the form of each digit, how round corners are, and how wide digits and strokes are."""
        self._radius = 0.0 if rng.random() < 0.25 else float(rng.uniform(0, 0.5))
        self._stroke = float(rng.uniform(0.1, 0.24))
        self._width = float(rng.uniform(0.42, 0.85))
        self._round_ends = rng.random() < 0.4
        self._forms = _forms(rng)

    def digit(self, digit: int, high: float) -> Grey:
        """Return a digit, 0 to 1, shape ``(high, w)``."""
        tall = high * _FINER
        wide = tall * self._width
        stroke = max(2.0, self._stroke * tall)
        picture = Image.new("L", (max(3, int(wide)), max(3, int(tall))))
        pen = ImageDraw.Draw(picture)
        for path, closed in self._forms[digit]:
            corners = [(stroke / 2 + x * (wide - stroke), stroke / 2 + y * (tall - stroke)) for x, y in path]
            curve = _rounded(corners, self._radius * (wide - stroke), closed)
            pen.line(curve, fill=255, width=max(1, round(stroke)), joint="curve")
            if self._radius and not self._round_ends and not closed:
                continue
            square = not self._radius and not self._round_ends
            for x, y in curve if square else (curve[0], curve[-1]):
                box = (x - stroke / 2, y - stroke / 2, x + stroke / 2, y + stroke / 2)
                pen.rectangle(box, fill=255) if square else pen.ellipse(box, fill=255)
        size = max(2, int(wide / _FINER)), max(3, int(high))
        return np.asarray(picture.resize(size, Image.Resampling.BILINEAR), np.float32) / np.float32(255)


Path = tuple[list[Point], bool]
"""Corners of a stroke in a square of side 1, y downwards, and whether it ends where it starts."""
_Ways = tuple[list[list[Point]], ...]


def _forms(rng: Rng) -> list[list[Path]]:
    """Return the strokes of all ten digits, each in one of the ways in which it is written."""
    middle, end = float(rng.uniform(0.42, 0.54)), float(rng.uniform(0.08, 0.3))
    inset = float(rng.uniform(0, 0.14)) if rng.random() < 0.5 else 0.0
    one: _Ways = (
        [[(0.12, 0.27), (0.5, 0), (0.5, 1)]],
        [[(1, 0), (1, 1)]],
        [[(0.22, 0.2), (0.6, 0), (0.6, 1)]],
        [[(0.12, 0.2), (0.5, 0), (0.5, 1)], [(0.15, 1), (0.85, 1)]],
    )
    two: _Ways = (
        [[(0, end), (0, 0), (1, 0), (1, middle * 0.9), (0, 1), (1, 1)]],
        [[(0, end), (0, 0), (1, 0), (1, middle), (0, middle), (0, 1), (1, 1)]],
    )
    hook: list[Point] = [(1, 1), (0, 1), (0, 1 - end)]
    three: _Ways = (
        [[(0, end), (0, 0), (1, 0), (1, middle), (0.3, middle)], [(0.3, middle), (1, middle), *hook]],
        [[(0, 0), (1, 0), (0.45, middle * 0.85), (1, middle * 0.9), *hook]],
        [[(0, 0), (1, 0), (1, 1), (0, 1)], [(0.15, middle), (1, middle)]],
    )
    four: _Ways = (
        [[(0, 0), (0, middle + 0.05), (1, middle + 0.05)], [(1, 0), (1, 1)]],
        [[(0.75, 1), (0.75, 0), (0, 0.7), (1, 0.7)]],
        [[(0.35, 0), (0, 0.68), (1, 0.68)], [(0.72, 0.35), (0.72, 1)]],
        [[(0, 0), (0, 0.6), (1, 0.6)], [(0.72, 0), (0.72, 1)]],
    )
    six: _Ways = (
        [[(1, end), (1, 0), (0, 0), (0, 1), (1, 1), (1, middle), (0, middle)]],
        [[(0.75, 0), (0, 0.55), (0, 1), (1, 1), (1, middle), (0.05, middle)]],
        [[(1, 0), (0, 0), (0, 1), (1, 1), (1, middle), (0, middle)]],
    )
    seven: _Ways = (
        [[(0, 0), (1, 0), (0.35, 1)]],
        [[(0, 0), (1, 0), (1, 1)]],
        [[(0, 0), (1, 0), (1, 0.15), (0.4, 0.6), (0.4, 1)]],
        [[(0, end), (0, 0), (1, 0), (1, 0.2), (0.4, 1)]],
    )
    chosen = [ways[int(rng.integers(len(ways)))] for ways in (one, two, three, four, six, seven)]
    open_ones: list[list[Path]] = [[(path, False) for path in digit] for digit in chosen]
    five: Path = ([(1, 0), (0, 0), (0, middle), (1, middle), (1, 1), (0, 1), (0, 1 - end)], False)
    upper: Path = ([(inset, 0), (1 - inset, 0), (1 - inset, middle), (inset, middle)], True)
    lower: Path = ([(0, middle), (1, middle), (1, 1), (0, 1)], True)
    nought: Path = ([(0, 0), (1, 0), (1, 1), (0, 1)], True)
    nine: list[Path] = [([(1 - x, 1 - y) for x, y in path], closed) for path, closed in open_ones[4]]
    return [[nought], *open_ones[:4], [five], *open_ones[4:], [upper, lower], nine]


def _rounded(corners: list[Point], radius: float, closed: bool) -> list[Point]:
    """Return a path whose corners are curves that begin ``radius`` away from them, or halfway to the next corner."""
    last, curve = len(corners) - 1, list[Point]()
    for number, corner in enumerate(corners):
        if not closed and number in (0, last):
            curve.append(corner)
            continue
        here = np.array(corner)
        arms = [np.array(corners[near]) - here for near in (number - 1, (number + 1) % len(corners))]
        lengths = [float(np.hypot(*arm)) for arm in arms]
        # An end of the path has no curve of its own, which leaves nearly all of its side.
        free = [0.5 if closed or 0 < number + step < last else 0.9 for step in (-1, 1)]
        reach = min(radius, *(length * share for length, share in zip(lengths, free, strict=True)))
        if reach < 1:
            curve.append(corner)
            continue
        start, stop = (here + arm / length * reach for arm, length in zip(arms, lengths, strict=True))
        for t in np.linspace(0, 1, 5):
            x, y = (1 - t) ** 2 * start + 2 * t * (1 - t) * here + t * t * stop
            curve.append((float(x), float(y)))
    # The first two again, so that the joint is closed as well.
    return [*curve, *curve[:2]] if closed else curve


class PrintFace:
    """Digits of a printed typeface, squeezed or widened, now and then bolder."""

    def __init__(self, rng: Rng, held_out: bool = False) -> None:
        """Choose a typeface: one of those that no training picture has, if ``held_out``."""
        self._faces, every, plain = printed(held_out)
        self._face = int(rng.choice(plain if rng.random() < 0.85 else every))
        self._wide = float(rng.uniform(0.7, 1.25))
        self._bold = int(rng.choice([0, 0, 1, 1, 2, 2]))

    def digit(self, digit: int, high: float) -> Grey:
        """Return a digit, 0 to 1, shape ``(high, w)``."""
        scale = high / typefaces.HEIGHT
        bitmap = typefaces.resized(self._faces.glyph(self._face, str(digit))[0], scale * self._wide, scale)
        picture = Image.fromarray(np.pad(bitmap, self._bold))
        if self._bold:
            picture = picture.filter(ImageFilter.MaxFilter(2 * self._bold + 1))
        size = picture.width, max(3, int(high))
        return np.asarray(picture.resize(size, Image.Resampling.BILINEAR), np.float32) / np.float32(255)


@functools.cache
def printed(held_out: bool) -> tuple[typefaces.Typefaces, list[int], list[int]]:
    """Return all typefaces, the numbers of those that are printed, and of those without serifs or slant."""
    faces = typefaces.unpack()
    numbers = np.flatnonzero(~faces.hand & (faces.held_out == held_out)).tolist()
    every = [number for number in numbers if faces.has(number, "0123456789")]
    names = faces.names
    return faces, every, [n for n in every if _PLAIN.search(names[n]) and not _SLANTED.search(names[n])]
