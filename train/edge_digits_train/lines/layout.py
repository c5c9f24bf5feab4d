"""Where a line stands: its margins, and the rules, boxes and neighbours around it."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Rng = np.random.Generator
Ink = NDArray[np.uint8]
HEIGHT = 64
"""Height in pixels of the picture of a line before it is prepared: twice that of the input of the network."""


@dataclass
class Written:
    """Ink of a line, not yet cut to a picture."""

    ink: Ink
    top: int
    """Row of the top of a digit."""
    base: int
    """Row of the baseline."""
    boxes: list[tuple[float, float, str]]
    """First and last column of each character, spaces left out."""


@dataclass
class Margins:
    """Room around a line, in heights of a digit."""

    above: float
    below: float
    left: float
    right: float

    @property
    def size(self) -> float:
        """Height of a digit in a picture of `HEIGHT` rows, in pixels."""
        return HEIGHT / (1 + self.above + self.below)


def margins(rng: Rng, characters: int) -> Margins:
    """Return margins as a row finder, the cell of a table, or a person who cuts out a number leaves them.

    Args:
        rng: what chance is drawn from.
        characters: number of characters of the line.
    """
    way = rng.random()
    low, high = (0.02, 0.2) if way < 0.4 else (0.1, 0.5) if way < 0.85 else (0.3, 1.0)
    above, below = rng.uniform(low, high, 2)
    if rng.random() < 0.2:
        below = rng.uniform(0.02, 0.9)
    way = rng.random()
    low, high = (0.05, 0.4) if way < 0.55 else (0.2, 1.6) if way < 0.92 else (0.0, 0.06)
    left, right = rng.uniform(low, high, 2)
    if rng.random() < 0.12:
        right = rng.uniform(0.5, 3.0)
    # A line of many characters is cut closely above and below or is small; else it would be squeezed too much.
    while HEIGHT / (1 + above + below) * (characters * 0.72 + left + right) > HEIGHT * 8.25 * 1.25:
        above, below = above * 1.15 + 0.05, below * 1.15 + 0.05
    return Margins(float(above), float(below), float(left), float(right))


def place(written: Written, room: Margins) -> tuple[Ink, int, int, float]:
    """Cut the ink of a line to a picture with these margins.

    Returns:
        Ink ``(HEIGHT, width)``, the rows of the top of a digit and of the baseline, and by how many columns the ink
        moved to the right.
    """
    size = written.base - written.top
    columns = np.flatnonzero(written.ink.max(0) > 40)
    first, last = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, int(size))
    left, right = round(room.left * size), round(room.right * size)
    above = round(room.above * size)
    width = max(last - first + left + right, 16)
    result = np.zeros((HEIGHT, width), np.uint8)
    source_row = written.top - above
    rows = np.arange(source_row, source_row + HEIGHT)
    good = (rows >= 0) & (rows < written.ink.shape[0])
    result[good, left : left + last - first] = written.ink[rows[good], first:last]
    return result, above, above + int(size), left - first


def neighbours(ink: Ink, top: int, base: int, rng: Rng) -> Ink:
    """Return what the lines above and below leave in the picture: feet at its upper edge, heads at its lower edge.

    They are made of the ink of the line itself, moved and mirrored; shape as ``ink``.
    """
    size = base - top
    result = np.zeros_like(ink)
    shift = int(rng.integers(0, max(ink.shape[1], 1)))
    rolled = np.roll(ink, shift, axis=1)
    if rng.random() < 0.5:
        rolled = rolled[:, ::-1]
    for upper in (True, False):
        if rng.random() < 0.35:
            continue
        room = top if upper else HEIGHT - base
        seen = int(min(rng.uniform(0.08, 0.5) * size, room * 0.8))
        if seen < 2:
            continue
        if upper:
            result[:seen] = rolled[base - seen : base]
        else:
            result[HEIGHT - seen :] = rolled[top : top + seen]
    return result


def rules(ink: Ink, top: int, base: int, boxes: list[tuple[float, float, str]], rng: Rng) -> Ink | None:
    """Draw walls, boxes, combs, grids or underlines around a line.

    Args:
        ink: of the line, shape ``(HEIGHT, width)``.
        top: row of the top of a digit.
        base: row of the baseline.
        boxes: first column, last column and text of each character.
        rng: what chance is drawn from.

    Returns:
        A layer of their own in the shape of ``ink``, 255 is ink; None in a third of the cases, for blank paper.
    """
    high, wide = ink.shape
    size = base - top
    way = rng.random()
    if way < 0.34:
        return None
    picture = Image.new("L", (wide, high))
    draw = ImageDraw.Draw(picture)
    thick = int(rng.integers(1, 4)) if rng.random() < 0.8 else int(rng.integers(3, 6))
    tilt = rng.normal(0, 0.012)

    def across(y: float, x0: float = -5, x1: float = wide + 5, width: int = thick) -> None:
        draw.line([(x0, y + tilt * x0), (x1, y + tilt * x1)], fill=255, width=width)

    def down(x: float, y0: float = -5, y1: float = high + 5, width: int = thick) -> None:
        draw.line([(x - tilt * y0, y0), (x - tilt * y1, y1)], fill=255, width=width)

    if way < 0.56:
        # Walls of a cell at the edges of the picture.
        columns = np.flatnonzero(ink.max(0) > 40)
        first, last = (int(columns[0]), int(columns[-1])) if len(columns) else (wide // 2, wide // 2)
        closeness = rng.uniform(0.1, 1.0)
        for side in range(4):
            if rng.random() < 0.35:
                continue
            width = thick if rng.random() < 0.8 else thick + 2
            if side == 0:
                down(rng.uniform(0, max(2, first * closeness)), width=width)
            elif side == 1:
                down(wide - 1 - rng.uniform(0, max(2, (wide - last) * closeness)), width=width)
            elif side == 2:
                across(rng.uniform(0, max(2, top * closeness)), width=width)
            else:
                across(high - 1 - rng.uniform(0, max(2, (high - base) * closeness)) - tilt * wide, width=width)
    elif way < 0.66:
        y = base + rng.uniform(-0.04, 0.3) * size
        x0, x1 = (-5.0, wide + 5.0) if rng.random() < 0.5 else (rng.uniform(0, 0.2) * wide, wide * rng.uniform(0.8, 1))
        across(y, x0, x1)
        if rng.random() < 0.2:
            across(y + thick + rng.uniform(2, 5), x0, x1)
    elif way < 0.73:
        pitch = rng.uniform(0.55, 2.0) * size
        y = rng.uniform(0, pitch)
        while y < high:
            across(y)
            y += pitch
        if rng.random() < 0.2:
            down(rng.uniform(0, wide))
    elif way < 0.84:
        pitch = rng.uniform(0.35, 1.15) * size
        y, x = rng.uniform(0, pitch), rng.uniform(0, pitch)
        thick = min(thick, 2)
        while y < high + wide * abs(tilt):
            across(y, width=thick)
            y += pitch
        while x < wide + 5:
            down(x, width=thick)
            x += pitch
    elif way < 0.93 and len(boxes) > 1:
        # Separators halfway between the characters, a point with what it follows: a comb below, or boxes around them.
        inner = [(a[1] + b[0]) / 2 for a, b in itertools.pairwise(boxes) if b[2] not in ".,:"]
        edges = [boxes[0][0] - 0.15 * size, *inner, boxes[-1][1] + 0.15 * size]
        upper = top - rng.uniform(0.08, 0.3) * size
        lower = base + rng.uniform(0.08, 0.3) * size
        comb = rng.random() < 0.4
        for x in edges:
            down(x, lower - rng.uniform(0.2, 0.45) * size if comb else upper, lower)
        across(lower, edges[0], edges[-1])
        if not comb:
            across(upper, edges[0], edges[-1])
    elif way < 0.97:
        # A dotted line to write on.
        y = base + rng.uniform(0, 0.15) * size
        step = int(rng.integers(5, 12))
        for x in range(0, wide, step):
            draw.ellipse((x, y + tilt * x, x + 1 + thick // 2, y + tilt * x + 1 + thick // 2), fill=255)
    else:
        # A frame around all of it, or an ellipse, as people mark a result.
        columns = np.flatnonzero(ink.max(0) > 40)
        if len(columns):
            shape = (
                columns[0] - 0.3 * size,
                top - rng.uniform(0.1, 0.35) * size,
                columns[-1] + 0.3 * size,
                base + rng.uniform(0.1, 0.35) * size,
            )
            draw.rectangle(shape, outline=255, width=thick) if rng.random() < 0.5 else draw.ellipse(
                shape, outline=255, width=thick
            )
    return np.asarray(picture)
