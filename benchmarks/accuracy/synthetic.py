"""Draw synthetic photographs of written digits: paper, pen, ruling, light and camera come from a seed.

The digits are pictures of 28 × 28 pixels, such as those of the MNIST test set, drawn large with a smooth outline.
``benchmarks/accuracy/real_pictures.py`` and ``not_digits.py`` use them. To see some:

    uv run python benchmarks/accuracy/synthetic.py sheet.png
"""

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.image.arrays import Gray
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Floats = NDArray[np.float32]
Colour = tuple[float, float, float]
Path = Sequence[tuple[float, float]]
"""Points along a line, each in pixels across and down."""

PAPERS: dict[str, Colour] = {
    "white": (245, 245, 242),
    "grey": (205, 206, 208),
    "cream": (240, 230, 205),
    "yellow": (250, 235, 140),
    "blue": (190, 212, 235),
    "pink": (245, 205, 210),
    "kraft": (190, 160, 120),
}
BOARDS: dict[str, Colour] = {"blackboard": (45, 50, 48), "green board": (40, 78, 60), "black card": (28, 28, 30)}
PRINT: tuple[Colour, ...] = ((30, 30, 32), (110, 110, 115), (40, 70, 140), (200, 90, 60))
"""Colours of printed forms."""
TITLES = ("Meter reading", "Amount", "Phone", "Room", "Weight", "Total due")
UNITS = ("kg", "m", "kWh", "pcs", "EUR", "mm")


@dataclass(frozen=True)
class Pen:
    """A kind of pen."""

    colours: tuple[Colour, ...]
    """Colours of its ink."""
    width: tuple[float, float]
    """Smallest and largest change of the width of the stroke, in pixels of the 28 × 28 picture."""
    cover: tuple[float, float]
    """Smallest and largest opacity of the ink, in (0, 1]."""
    grain: float
    """Largest share of the opacity that is lost where the pen skips over the paper, in [0, 1]."""


PENS = {
    "ballpoint": Pen(((30, 40, 120), (20, 20, 25), (150, 25, 30), (15, 95, 60)), (-1.2, -0.3), (0.75, 1.0), 0.25),
    "pencil": Pen(((70, 70, 75),), (-1.0, 0.0), (0.45, 0.8), 0.4),
    "felt pen": Pen(((15, 15, 18), (25, 50, 160), (170, 20, 25), (10, 110, 50)), (-0.3, 0.8), (0.85, 1.0), 0.05),
    "marker": Pen(((10, 10, 12), (20, 40, 150)), (0.5, 1.6), (0.9, 1.0), 0.0),
}
CHALK = Pen(((235, 235, 230), (240, 225, 150)), (-0.5, 0.6), (0.6, 0.95), 0.4)


def photograph(digit: Gray, rng: np.random.Generator) -> Image.Image:
    """Draw a photograph of one digit.

    Args:
        digit: shape ``(28, 28)``, 0 background, 255 ink.
        rng: decides everything else; the same state gives the same picture.

    Returns:
        An RGB picture with a longer side of 120 to 640 pixels.
    """
    height = int(rng.integers(120, 481))
    width = int(height * rng.uniform(0.75, 1.333))
    board = rng.random() < 0.12
    pen = CHALK if board else list(PENS.values())[rng.integers(len(PENS))]
    tall = min(height, width) * rng.uniform(0.22, 0.75)
    drawn = _written(digit, tall / 20, pen, rng)
    ink = np.zeros((height, width), np.float32)
    y, x = (int(rng.integers(0, max(1, full - part + 1))) for full, part in zip(ink.shape, drawn.shape, strict=True))
    part = drawn[: height - y, : width - x]
    ink[y : y + part.shape[0], x : x + part.shape[1]] = part
    sheet = _sheet(ink, tall, pen, board, rng)
    return _shot(sheet, rng)


def number(digits: Sequence[Gray], rng: np.random.Generator, gap: tuple[float, float] = (0.15, 0.5)) -> Image.Image:
    """Draw a photograph of digits side by side, on a line that may slant.

    Args:
        digits: pictures of shape ``(28, 28)``, from left to right.
        rng: decides everything else.
        gap: smallest and largest space between two digits, in heights of a digit.
    """
    tall, pen, parts = _penned(digits, rng)
    gaps = [int(tall * rng.uniform(*gap)) for _ in parts]
    margin = int(tall * rng.uniform(0.5, 1.2))
    slope = rng.uniform(-0.08, 0.08)
    width = 2 * margin + sum(part.shape[1] for part in parts) + sum(gaps)
    height = int(2 * margin + 1.4 * tall + abs(slope) * width)
    ink = np.zeros((height, width), np.float32)
    x = margin
    for part, space in zip(parts, gaps, strict=True):
        y = int(height / 2 + slope * (x - width / 2) - part.shape[0] / 2 + tall * rng.uniform(-0.06, 0.06))
        _put(ink, part, x, y)
        x += part.shape[1] + space
    return _shot(_sheet(ink, tall, pen, False, rng), rng)


def boxed(digits: Sequence[Gray], rng: np.random.Generator) -> Image.Image:
    """Draw a photograph of a row of printed boxes, adjacent or apart, with a digit in each that may touch its walls."""
    tall = float(rng.uniform(40, 90))
    wide, high, thick = tall * rng.uniform(1.05, 1.5), tall * rng.uniform(1.2, 1.7), tall * rng.uniform(0.015, 0.06)
    step = wide + (tall * rng.uniform(0.12, 0.4) if rng.random() < 0.5 else 0)
    margin = tall * rng.uniform(0.3, 1.2)
    shape = int(2 * margin + high), int(2 * margin + step * (len(digits) - 1) + wide)
    boxes = [(margin + k * step, margin, margin + k * step + wide, margin + high) for k in range(len(digits))]
    middles = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in boxes]
    return _form(digits, middles, tall, shape, _drawn(shape, [_around(*box) for box in boxes], thick), rng)


def table(rows: Sequence[Sequence[Gray]], rng: np.random.Generator) -> Image.Image:
    """A photograph of a printed table with a digit in each cell, not always in the middle.

    Args:
        rows: of the same length, pictures of shape ``(28, 28)`` from left to right.
        rng: decides everything else.
    """
    tall = float(rng.uniform(40, 70))
    wide, high, thick = tall * rng.uniform(1.2, 2), tall * rng.uniform(1.3, 2), tall * rng.uniform(0.015, 0.08)
    margin = tall * rng.uniform(0.3, 1.2)
    right, bottom = margin + wide * len(rows[0]), margin + high * len(rows)
    across = [((margin, y), (right, y)) for y in np.linspace(margin, bottom, len(rows) + 1)]
    down = [((x, margin), (x, bottom)) for x in np.linspace(margin, right, len(rows[0]) + 1)]
    shape = int(bottom + margin), int(right + margin)
    middles = [
        (margin + wide * (column + 0.5), margin + high * (row + 0.5))
        for row in range(len(rows))
        for column in range(len(rows[0]))
    ]
    return _form(
        [digit for row in rows for digit in row], middles, tall, shape, _drawn(shape, across + down, thick), rng
    )


def _form(
    digits: Sequence[Gray],
    middles: Sequence[tuple[float, float]],
    tall: float,
    shape: tuple[int, int],
    printed: Floats,
    rng: np.random.Generator,
) -> Image.Image:
    """Draw a photograph of digits on a printed form, each up to an eighth of its height beside its place.

    Args:
        digits: pictures of shape ``(28, 28)``.
        middles: the place of the middle of each, in pixels across and down.
        tall: height of a digit in pixels.
        shape: height and width of the photograph in pixels.
        printed: opacity of what is printed, of that shape, in [0, 1].
        rng: decides everything else.
    """
    pen = list(PENS.values())[rng.integers(len(PENS))]
    ink = np.zeros(shape, np.float32)
    for digit, middle in zip(digits, middles, strict=True):
        x, y = np.array(middle) + rng.uniform(-0.12, 0.12, 2) * tall
        _put_around(ink, _trimmed(_written(digit, tall * rng.uniform(0.85, 1.05) / 20, pen, rng)), x, y)
    return _shot(_sheet(ink, tall, pen, False, rng, printed), rng)


def struck(digits: Sequence[Gray], rng: np.random.Generator, kind: str) -> Image.Image:
    """Draw a photograph of a number with something that is no digit.

    Args:
        digits: pictures of shape ``(28, 28)``, from left to right.
        rng: decides everything else.
        kind: with the same pen, ``"underlined"``, which may touch the digits, ``"dashes"`` or ``"slashes"`` after the
            second and the fourth digit, or ``"a plus"`` after the second; or ``"printed words"`` above and behind.
    """
    tall, pen, parts = _penned(digits, rng)
    margin = tall * rng.uniform(0.6, 1.2)
    x, y = margin, margin + 0.6 * tall
    signs = {"dashes": (1, 3), "slashes": (1, 3), "a plus": (1,)}.get(kind, ())
    middles: list[tuple[float, float]] = []
    strokes: list[Path] = []
    for k, part in enumerate(parts):
        middles.append((x + part.shape[1] / 2, y + tall * rng.uniform(-0.06, 0.06)))
        x += part.shape[1] + tall * rng.uniform(0.15, 0.4)
        if k in signs and k + 1 < len(parts):
            sign, wide = _sign(kind, x, y, tall, rng)
            strokes += sign
            x += wide
    if kind == "underlined":
        ends = y + tall * (rng.uniform(0.5, 0.85) + rng.uniform(-0.08, 0.08, 2))
        strokes.append(((margin - tall * rng.uniform(0, 0.3), ends[0]), (x + tall * rng.uniform(-0.2, 0.2), ends[1])))
    printed = None
    shape = int(y + 0.9 * tall + margin), int(x + margin)
    if kind == "printed words":
        shape = shape[0], shape[1] + int(2.5 * tall)
        title, unit = (str(rng.choice(words)) for words in (TITLES, UNITS))
        printed = _printed(
            shape,
            ((margin, y - 0.7 * tall), title, tall * rng.uniform(0.3, 0.5)),
            ((x + 0.3 * tall, y + 0.45 * tall), unit, tall * rng.uniform(0.6, 0.8)),
        )
    ink = _drawn(shape, strokes, tall * rng.uniform(0.06, 0.1)) * rng.uniform(*pen.cover)
    for part, (across, down) in zip(parts, middles, strict=True):
        _put_around(ink, part, across, down)
    return _shot(_sheet(ink, tall, pen, False, rng, printed), rng)


def _sign(kind: str, x: float, y: float, tall: float, rng: np.random.Generator) -> tuple[list[Path], float]:
    """Return the strokes of a dash, plus or slash, and how far it moves the next digit to the right, in pixels.

    Args:
        kind: as in `struck`.
        x: left end of the sign in pixels.
        y: middle of the line of digits in pixels from the top.
        tall: height of a digit in pixels.
        rng: decides the rest.
    """
    if kind == "slashes":
        # From as long as a digit to one and a half times, 10 to 35 degrees from upright.
        half, middle = tall * rng.uniform(1, 1.5) / 2, y + tall * rng.uniform(-0.08, 0.08)
        wide = 2 * half * float(np.tan(np.radians(rng.uniform(10, 35))))
        return [((x + wide, middle - half), (x, middle + half))], wide + tall * rng.uniform(0.1, 0.35)
    left, right = y + tall * rng.uniform(-0.1, 0.1, 2)
    strokes: list[Path] = [((x, left), (x + 0.35 * tall, right))]
    if kind == "a plus":
        top, bottom = x + tall * rng.uniform(0.12, 0.22, 2)
        middle = (left + right) / 2
        strokes.append(((top, middle - 0.18 * tall), (bottom, middle + 0.18 * tall)))
    return strokes, tall * rng.uniform(0.5, 0.7)


def _printed(shape: tuple[int, int], *texts: tuple[tuple[float, float], str, float]) -> Floats:
    """Return the opacity of printed words, in [0, 1], of ``shape``.

    ``texts`` are, for each text, the left end of its baseline in pixels, the words, and their size in pixels.
    """
    image = Image.new("L", shape[::-1], 0)
    for place, words, size in texts:
        ImageDraw.Draw(image).text(place, words, 255, ImageFont.load_default(size), anchor="ls")
    return np.asarray(image, np.float32) / 255


def _penned(digits: Sequence[Gray], rng: np.random.Generator) -> tuple[float, Pen, list[Floats]]:
    """Choose a height in pixels and a pen for the digits of a number; return both, and each digit drawn with them."""
    tall = float(rng.uniform(40, 90))
    pen = list(PENS.values())[rng.integers(len(PENS))]
    return tall, pen, [_trimmed(_written(digit, tall * rng.uniform(0.85, 1.1) / 20, pen, rng)) for digit in digits]


def _put_around(ink: Floats, part: Floats, x: float, y: float) -> None:
    """Write a digit into ``ink`` with its middle at ``x``, ``y``."""
    _put(ink, part, max(0, round(x - part.shape[1] / 2)), max(0, round(y - part.shape[0] / 2)))


def _put(ink: Floats, part: Floats, left: int, top: int) -> None:
    spot = ink[top : top + part.shape[0], left : left + part.shape[1]]
    np.maximum(spot, part[: spot.shape[0], : spot.shape[1]], out=spot)


def _around(left: float, top: float, right: float, bottom: float) -> Path:
    return (left, top), (right, top), (right, bottom), (left, bottom), (left, top)


def _drawn(shape: tuple[int, int], paths: Sequence[Path], thick: float) -> Floats:
    """Return the opacity of lines along ``paths``, in [0, 1], of ``shape``; they are ``thick`` pixels thick."""
    fine = 4
    image = Image.new("L", (shape[1] * fine, shape[0] * fine), 0)
    for path in paths:
        points = [(x * fine, y * fine) for x, y in path]
        ImageDraw.Draw(image).line(points, 255, max(1, round(thick * fine)), "curve")
    return np.asarray(image.reduce(fine), np.float32) / 255


def _trimmed(ink: Floats) -> Floats:
    inked = ink > 0.1
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _written(digit: Gray, scale: float, pen: Pen, rng: np.random.Generator) -> Floats:
    """Draw a digit at ``scale`` with a pen; return the opacity of its ink, in [0, 1]."""
    side = max(12, round(28 * scale))
    # A smooth enlargement and a steep ramp turn gray pixels into an outline; the place of the ramp sets the width.
    soft = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    soft = soft.filter(ImageFilter.GaussianBlur(0.35 * scale))
    level = 0.5 - 0.22 * rng.uniform(*pen.width)
    cover = np.clip((np.asarray(soft, np.float32) / 255 - level) * max(2.0, 0.8 * scale) + 0.5, 0, 1)
    skip = _cloud(cover.shape, max(2, side // 2), rng) * _cloud(cover.shape, max(2, side // 12), rng)
    result: Floats = cover * rng.uniform(*pen.cover) * (1 - pen.grain * np.clip(1.6 * skip, 0, 1))
    return result.astype(np.float32)


def _cloud(shape: tuple[int, ...], cells: int, rng: np.random.Generator) -> Floats:
    """Return smooth noise in [0, 1] of ``shape``, with ``cells`` values along each axis."""
    coarse = Image.fromarray(rng.random((cells, cells), np.float32))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32).clip(0, 1)


def _sheet(
    ink: Floats, tall: float, pen: Pen, board: bool, rng: np.random.Generator, printed: Floats | None = None
) -> Floats:
    """Lay ink on paper, which is ruled, or has something printed on it, or is plain.

    Args:
        ink: opacity of the ink in [0, 1].
        tall: height of a digit in pixels.
        pen: the pen.
        board: whether to write on a blackboard in place of paper.
        rng: decides the rest.
        printed: opacity of what is printed, shape of ``ink``, in [0, 1]; None for ruling or plain paper.

    Returns:
        The colours of the sheet, shape ``(height, width, 3)``, 0-255.
    """
    colour = list((BOARDS if board else PAPERS).values())
    paper = np.empty((*ink.shape, 3), np.float32)
    paper[:] = colour[rng.integers(len(colour))]
    paper *= 1 + 0.06 * (_cloud(ink.shape, 5, rng)[..., None] - 0.5)
    paper += rng.normal(0, rng.uniform(0, 2.5), ink.shape).astype(np.float32)[..., None]
    if printed is not None:
        dark = np.array(PRINT[rng.integers(len(PRINT))], np.float32)
        paper += printed[..., None] * rng.uniform(0.5, 1) * (dark - paper)
    elif (ruling := rng.choice(["none", "lines", "squares"], p=[0.5, 0.25, 0.25])) != "none" and not board:
        lines = _ruling(ink.shape, tall, str(ruling), rng)
        blue = np.array([(90, 130, 200), (150, 150, 155), (200, 120, 130)][rng.integers(3)], np.float32)
        paper += lines[..., None] * rng.uniform(0.25, 0.8) * (blue - paper)
    colours = pen.colours
    written: Floats = paper + ink[..., None] * (np.array(colours[rng.integers(len(colours))], np.float32) - paper)
    return written


def _ruling(shape: tuple[int, ...], tall: float, kind: str, rng: np.random.Generator) -> Floats:
    """Return the opacity of lines or squares, in [0, 1], about as far apart as digits are tall, or half of that."""
    pitch = tall * (rng.uniform(0.9, 1.6) if kind == "lines" else rng.uniform(0.45, 1.3))
    image = Image.new("L", (shape[1], shape[0]), 0)
    draw = ImageDraw.Draw(image)
    thick = max(1, round(tall * rng.uniform(0.006, 0.025)))
    for y in np.arange(rng.uniform(0, pitch), shape[0], pitch):
        draw.line((0, y, shape[1], y), 255, thick)
    if kind == "squares":
        for x in np.arange(rng.uniform(0, pitch), shape[1], pitch):
            draw.line((x, 0, x, shape[0]), 255, thick)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(0.4)), np.float32) / 255


def _shot(sheet: Floats, rng: np.random.Generator) -> Image.Image:
    """Photograph a sheet as a phone does: from an angle, in uneven light, blurred, noisy, as a JPEG."""
    image = Image.fromarray(sheet.clip(0, 255).astype(np.uint8))
    image = _tilted(image, rng)
    lit = np.asarray(image, np.float32) * _light(image.size, rng)[..., None]
    lit *= 1 + rng.uniform(-0.06, 0.06, 3).astype(np.float32)
    image = Image.fromarray(lit.clip(0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.004) * max(image.size)))
    noise = rng.normal(0, rng.uniform(0.5, 6), (image.height, image.width, 3))
    noisy = Image.fromarray((np.asarray(image, np.float32) + noise).clip(0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    noisy.save(buffer, "JPEG", quality=int(rng.integers(40, 96)))
    return Image.open(buffer)


def _tilted(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Show a sheet from an angle and turned by up to 6 degrees; beyond its edges there is more of the same paper."""
    width, height = image.size
    # For each corner of the photograph the point of the widened sheet that it shows.
    reach = max(width, height) // 4
    wide = _widened(image, reach)
    turn = np.deg2rad(rng.uniform(-6, 6))
    corners = []
    for u, v in ((0, 0), (0, 1), (1, 1), (1, 0)):
        x, y = (u - 0.5) * width, (v - 0.5) * height
        x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
        x, y = x + rng.uniform(-0.04, 0.04) * width, y + rng.uniform(-0.04, 0.04) * height
        corners += [x + width / 2 + reach, y + height / 2 + reach]
    return wide.transform(image.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)


def _widened(image: Image.Image, reach: int) -> Image.Image:
    """Add ``reach`` pixels on each side, in the colours of the edge."""
    pixels = np.asarray(image)
    return Image.fromarray(np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), "edge"))


def _light(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Return the brightness of each pixel, shape ``(height, width)``: exposure, a gradient, a vignette and a shadow."""
    width, height = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.3)
    light = rng.uniform(0.6, 1.0) * (1 + strength * (np.cos(angle) * x + np.sin(angle) * y) / 1.4)
    light *= 1 - rng.uniform(0, 0.2) * (x * x + y * y)
    if rng.random() < 0.5:
        angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.7)
        beyond = np.cos(angle) * x + np.sin(angle) * y - place
        light *= 1 - rng.uniform(0.15, 0.55) / (1 + np.exp(-beyond / rng.uniform(0.01, 0.2)))
    return light.astype(np.float32)


def sheet(make: Callable[[int], Image.Image], count: int, columns: int = 8, side: int = 160) -> Image.Image:
    """Lay the first ``count`` pictures of ``make`` out on one sheet."""
    result = Image.new("RGB", (columns * side, -(-count // columns) * side), (90, 90, 90))
    for k in range(count):
        picture = make(k).convert("RGB")
        picture.thumbnail((side - 4, side - 4))
        result.paste(picture, (k % columns * side, k // columns * side))
    return result


def main() -> None:
    """Write a sheet of 64 photographs of MNIST test pictures to the file named on the command line."""
    from edge_digits_train.data import mnist

    test = mnist.load().test
    sheet(lambda k: photograph(test.images[k], np.random.default_rng([0, k])), 64).save(sys.argv[1])


if __name__ == "__main__":
    main()
