"""Print and hand fonts as bitmaps, so that making lines needs no font installed.

``glyphs.npz.xz`` was drawn by ``benchmarks/packing/pack_line_glyphs.py``. NOTICE.md lists the fonts and their licences.
"""

import io
import lzma
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.errors import DataError
from edge_digits_runtime.library_errors import NUMPY, first_line
from numpy.typing import NDArray
from PIL import Image

Pictures = NDArray[np.uint8]
HEIGHT = 40
"""Height of a digit in the file, in pixels, about."""
_GLYPHS = Path(__file__).with_name("glyphs.npz.xz")
_HAND = re.compile(
    r"^(Andika|BM KIRANG|BM YEONSUNG|Breip|Chilanka|Comic Neue|Dancing Script|Delphine|DkgHandwriting|Ecolier"
    r"|Humor Sans|Kaushan|Klee One|KouzanBrush|Kristi|LXGW WenKai|Lobster Two|Nanum Brush|Nanum Pen"
    r"|NanumBarunpen|Purisa|Rufscript|SetoFont|Steve Hand|TeX Gyre Chorus|YOz|Yusei Magic|Z003)"
)
_HELD_OUT = re.compile(
    r"^(BM KIRANGHAERANG|Caladea|Carlito|Chilanka|Cousine|Dancing Script|Go|Go Mono|Hermit|IBM 3270|Kristi|Lato"
    r"|Liberation Mono|Nimbus Roman|OCR B|Open Sans|PT Serif|Play|Purisa|Quicksand|Roadgeek 2014 Series E|Roboto Slab"
    r"|Rufscript|Steve Hand|Tinos|URW Gothic|YOzE) "
)


@dataclass(frozen=True)
class Typefaces:
    """All glyphs of all faces."""

    names: tuple[str, ...]
    """Family and style of each face."""
    characters: str
    """The characters that were drawn, the digits first."""
    shapes: NDArray[np.int16]
    """For each face and character, in pixels: rows, columns, left bearing, top above the baseline, advance. No rows
    where the face has no such character. Shape ``(faces, characters, 5)``."""
    pixels: Pictures
    """The bitmaps one after another, 0 to 15, 15 is ink."""

    starts: NDArray[np.int64] = field(init=False)
    """Where each bitmap starts in ``pixels``, shape ``(faces, characters)``."""
    hand: NDArray[np.bool_] = field(init=False)
    """Which faces look written by hand."""
    held_out: NDArray[np.bool_] = field(init=False)
    """Which faces are in no training line; no family has faces on both sides."""

    def __post_init__(self) -> None:
        sizes = self.shapes[:, :, 0].astype(np.int64) * self.shapes[:, :, 1]
        starts = np.concatenate([[0], sizes.ravel().cumsum()[:-1]]).reshape(sizes.shape)
        hand = np.array([bool(_HAND.search(name)) for name in self.names])
        held_out = np.array([bool(_HELD_OUT.search(name + " ")) for name in self.names])
        for name, value in (("starts", starts), ("hand", hand), ("held_out", held_out)):
            object.__setattr__(self, name, value)

    def has(self, face: int, text: str) -> bool:
        """Return whether ``face`` has every character of ``text``, spaces aside."""
        return all(bool(self.shapes[face, self.characters.index(c), 0]) for c in set(text) if c != " ")

    def glyph(self, face: int, character: str) -> tuple[Pictures, int, int, int]:
        """Return the bitmap (255 is ink), left bearing, top above the baseline and advance of a character."""
        number = self.characters.index(character)
        rows, columns, left, top, advance = (int(value) for value in self.shapes[face, number])
        start = int(self.starts[face, number])
        bitmap = self.pixels[start : start + rows * columns].reshape(rows, columns)
        return bitmap * np.uint8(17), left, top, advance


def read_pack(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an uncompressed ``.npz`` inside LZMA.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        with np.load(io.BytesIO(lzma.decompress(path.read_bytes())), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, lzma.LZMAError, *NUMPY) as error:
        raise DataError(f"{path}: cannot be read ({first_line(error)}): install edge-digits-train again") from error


def unpack(each: int | None = None) -> Typefaces:
    """Return the typefaces of this package.

    Args:
        each: how many faces to take of each kind (print and hand, held out and not); None for all.

    Raises:
        DataError: the packed file of this installation is missing or damaged.
    """
    stored = read_pack(_GLYPHS)
    every = Typefaces(tuple(stored["names"].tolist()), str(stored["characters"]), stored["shapes"], stored["pixels"])
    if each is None:
        return every
    kinds = every.hand * 2 + every.held_out
    chosen = np.sort(np.concatenate([np.flatnonzero(kinds == kind)[:each] for kind in range(4)]))
    sizes = every.shapes[chosen, :, 0].astype(np.int64) * every.shapes[chosen, :, 1]
    pixels = [
        every.pixels[start : start + size] for start, size in zip(every.starts[chosen, 0], sizes.sum(1), strict=True)
    ]
    return Typefaces(
        tuple(every.names[n] for n in chosen), every.characters, every.shapes[chosen], np.concatenate(pixels)
    )


@dataclass(frozen=True)
class Printed:
    """A text in one face, at the size of the file."""

    ink: Pictures
    """255 is ink."""
    baseline: int
    """Row of the baseline."""
    boxes: list[tuple[int, int, str]]
    """First column and the column behind the last of each character, spaces left out."""


def draw(faces: Typefaces, face: int, text: str, spacing: float, space: float) -> Printed:
    """Write ``text`` in a face.

    Args:
        faces: all typefaces.
        face: the number of one that has every character of the text.
        text: what to write, at least one character that is no space.
        spacing: added between two characters, in heights of a digit.
        space: width of a space, likewise.
    """
    parts = []
    x = 8.0
    for character in text:
        if character == " ":
            x += space * HEIGHT
            continue
        glyph, left, top, advance = faces.glyph(face, character)
        parts.append((glyph, round(x) + left, top, character))
        x += advance + spacing * HEIGHT
    highest = max(top for _, _, top, _ in parts)
    lowest = min(min(top - glyph.shape[0] for glyph, _, top, _ in parts), 0)
    first = min(at for _, at, _, _ in parts)
    last = max(at + glyph.shape[1] for glyph, at, _, _ in parts)
    ink = np.zeros((max(highest - lowest, 1), last - first), np.uint8)
    boxes = []
    for glyph, at, top, character in parts:
        place = np.s_[highest - top : highest - top + glyph.shape[0], at - first : at - first + glyph.shape[1]]
        np.maximum(ink[place], glyph, out=ink[place])
        boxes.append((at - first, at - first + glyph.shape[1], character))
    return Printed(ink, highest, boxes)


def resized(ink: Pictures, scale_x: float, scale_y: float) -> Pictures:
    """Return ink at another size, at least one pixel a side."""
    size = max(1, round(ink.shape[1] * scale_x)), max(1, round(ink.shape[0] * scale_y))
    return np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR))
