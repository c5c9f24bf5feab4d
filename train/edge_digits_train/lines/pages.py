"""Made pictures of pages with the places of their numbers: what the row finder learns from.

A page is a function of its seed and its number. It is a cut-out of what the network sees: numbers, words, tables and
junk in any size, of which those of `SMALLEST` to `LARGEST` pixels are to be found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_train.lines import page_layouts as layouts
from edge_digits_train.lines import photo
from edge_digits_train.lines.library import Library
from edge_digits_train.lines.page_sheet import (
    CELL,
    HEIGHT_STEPS,
    HEIGHT_UNIT,
    IGNORED,
    LARGEST,
    LEVEL,
    NO_HEIGHT,
    NOTHING,
    PARTS,
    SIDE,
    SIDEWAYS,
    SMALLEST,
    TOLERATED,
    Pictures,
    Pieces,
    Rng,
    Sheet,
)


@dataclass(frozen=True)
class Pages:
    """Pictures of pages and what is to be found in them."""

    pictures: Pictures
    """Shape ``(n, SIDE, SIDE)``."""
    targets: NDArray[np.int8]
    """Class of each part of each cell, and the height of its digits or `NO_HEIGHT`.

    Shape ``(n, SIDE / 8, SIDE / 8, 16, 2)``."""

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


def draw_page(rng: Rng, pieces: Pieces, stored: Library, side: int = SIDE) -> tuple[Pictures, NDArray[np.int8]]:
    """Draw a page; return its picture and its target, as in `Pages`."""
    way = rng.random()
    if way < 0.18:
        return _turned(rng, *layouts.gallery(rng, pieces, side))
    size = float(np.exp(rng.uniform(np.log(6.5), np.log(34))))
    if way < 0.3:
        sheet = layouts.few(rng, pieces, side)
    elif way < 0.42:
        sheet = layouts.cells(rng, pieces, Sheet(max(size, 9.0), side))
    elif way < 0.56:
        sheet = layouts.table(rng, pieces, Sheet(size, side))
    elif way < 0.91:
        # Of numbers, of words, or of both.
        sheet = layouts.rows(rng, pieces, Sheet(size, side), float(rng.choice([1.0, 0.95, 0.6, 0.3, 0.0, 0.0])))
    else:
        sheet = layouts.junk(rng, pieces, Sheet(size, side))
    if way < 0.3 and rng.random() < 0.3:
        # As clean as a picture from a program.
        return _turned(rng, layouts.clean(rng, sheet.ink, np.asarray(sheet.rules)), sheet.classes, sheet.heights)
    if rng.random() < 0.25:
        layouts.scrawl(rng, sheet)
    grey = photo.toned(sheet.ink, np.asarray(sheet.rules), None, rng)
    if rng.random() < 0.12:
        layouts.wheels(rng, sheet, grey, stored)
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
    return _turned(rng, layouts.stretched(np.asarray(picture)), classes, heights)


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
    number = parts == LEVEL
    fitting = (size >= SMALLEST) & (size <= LARGEST)
    tolerated = (size >= TOLERATED[0]) & (size <= TOLERATED[1])
    parts = np.where(written & ~fitting, np.where(tolerated, IGNORED, NOTHING), parts)
    parts[parts == 255] = IGNORED
    quarters = int(rng.choice(4, p=[0.76, 0.08, 0.08, 0.08]))
    if quarters % 2:
        parts[parts == LEVEL] = SIDEWAYS
    both = np.rot90(np.stack([parts, np.where(number, np.clip(coded, -127, 127), NO_HEIGHT)], 2), quarters)
    cells = len(parts) // PARTS
    # Cells, and the parts of each one after another.
    target = (
        both.reshape(cells, PARTS, cells, PARTS, 2).transpose(0, 2, 1, 3, 4).reshape(cells, cells, PARTS * PARTS, 2)
    )
    return np.ascontiguousarray(np.rot90(picture, quarters)), target.astype(np.int8)
