"""Outlier exposure: pictures that show no digit, from which a network learns to be unsure.

A network that has seen nothing but digits takes every letter for one of them, and is sure of it. Trained on other
things as well, with the same probability for all ten digits as target, it learns to hesitate, even about things that it
was not shown (D. Hendrycks, M. Mazeika, T. Dietterich: "Deep Anomaly Detection with Outlier Exposure", ICLR 2019).

The outliers are drawn, or made from training pictures. They are framed by the function that a device uses, so that only
their shape tells them from digits.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from edge_digits_runtime.data.datasets import Split
from edge_digits_runtime.image.frame import frame
from edge_digits_runtime.mnist_format import SIDE
from PIL import Image, ImageDraw, ImageFont

from edge_digits_train.augment.arrays import Floats, Pictures
from edge_digits_train.augment.augmentation import Augmentation, augment

Kind = Callable[[int, np.random.Generator, Split], Pictures]

LETTERS = "ACEFHKLMNPRTUVWXacdefhkmnprtuvwx"
"""Letters that cannot be taken for a digit when written by hand. Left out are O o D Q (0), I l i j J (1), Z z (2),
Y y (4), S s (5), G b (6), B (8), g q (9)."""
SIGNS = "#%&*+<=@^{~£€½±÷" + "ΔΓΛΞΠΣΨΩαλμπψω" + "ЖИЦШЩЫЮЯ" + "←↑→↓∃∇√∞∩∪♠♣♥★☺"
"""Signs that cannot be taken for a digit. Left out are rings with a stroke (0), | ! / (1), ? (2), } (3), γ (4), $ (5),
δ (6), > (7), β θ (8)."""
_FONTS = tuple(
    f"{family}{style}.ttf"
    for family, styles in (
        ("DejaVuSans", ("", "-Bold", "-Oblique", "-BoldOblique")),
        ("DejaVuSansMono", ("", "-Oblique")),
        ("DejaVuSerif", ("", "-Italic")),
        ("STIXGeneral", ("", "Italic", "Bol")),
    )
    for style in styles
)
_BY_HAND = Augmentation(
    shear=0.3,
    width=(0.6, 1.1),
    height=(0.85, 1.1),
    translation=0.0,
    elastic=1.2,
    thicken=0.6,
    thin=0.7,
    blur=0.0,
    tone=0.0,
    contrast=0.0,
)
"""How characters are bent to look written by hand; the augmentation of the recipe comes on top."""
_TURNS = {0: (), 1: (1,), 2: (1,), 3: (1, 2, 3), 4: (1, 2, 3), 5: (1,), 6: (1, 3), 7: (2, 3), 8: (1,), 9: (1, 3)}
"""Quarter turns anticlockwise that leave no digit: a turned 0 is still a 0, and half a turn makes a 9 a 6."""
_MIRRORED = (3, 4, 6, 7, 9)
"""Digits whose mirror image is no digit; that of a 2 is nearly a 5."""
_CANVAS = 84
"""Side, in pixels, of the canvas for strokes and shapes: three for each pixel of the result."""
_BOX = 60
"""Side, in pixels of the canvas, of the box that a drawing fills."""
_STEPS = 36
"""Number of points of a curve."""


def make(count: int, rng: np.random.Generator, training: Split) -> Pictures:
    """Make pictures that show no digit.

    Args:
        count: number of pictures.
        rng: the same generator state and training pictures give the same result.
        training: pictures of digits, with their labels, that some outliers are made from.

    Returns:
        Shape ``(count, 28, 28)``, 0 background, 255 ink, in the frame of MNIST, one kind after the other.
    """
    shares = np.array([share for share, _ in _KINDS])
    ends = np.rint(count * shares.cumsum() / shares.sum()).astype(int)
    counts = np.diff(ends, prepend=0)
    parts = [draw(int(part), rng, training) for part, (_, draw) in zip(counts, _KINDS, strict=True)]
    return np.concatenate(parts)


def characters(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw letters, and half as often signs, in several fonts, bent as if written by hand."""
    drawn = [
        glyphs[rng.integers(len(glyphs), size=part)]
        for glyphs, part in ((_glyphs(LETTERS), count - count // 3), (_glyphs(SIGNS), count // 3))
    ]
    return _stacked([frame(image) for image in augment(np.concatenate(drawn), rng, _BY_HAND)])


@functools.cache
def _glyphs(which: str) -> Pictures:
    """Draw each of the characters in ``which`` in every font that has it."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    result = []
    for name in _FONTS:
        font = ImageFont.truetype(folder / name, 60, layout_engine=ImageFont.Layout.BASIC)
        missing = _glyph(font, "\uffff")
        drawn = (_glyph(font, character) for character in which)
        result += [frame(glyph) for glyph in drawn if not np.array_equal(glyph, missing)]
    return np.stack(result)


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> Pictures:
    picture = Image.new("L", (150, 150))
    ImageDraw.Draw(picture).text((40, 20), character, 255, font)
    return np.asarray(picture)


def turned(count: int, rng: np.random.Generator, training: Split) -> Pictures:
    """Turn digits by quarter turns, or mirror them, where that leaves no digit."""
    result = np.empty((count, SIDE, SIDE), np.uint8)
    ways = [(digit, turn, False) for digit, turns in _TURNS.items() for turn in turns]
    ways += [(digit, 0, True) for digit in _MIRRORED]
    chosen = rng.integers(len(ways), size=count)
    for number, (digit, turn, mirrored) in enumerate(ways):
        places = np.flatnonzero(chosen == number)
        images = training.images[rng.choice(np.flatnonzero(training.labels == digit), len(places))]
        images = np.rot90(images, turn, (1, 2))
        result[places] = images[:, :, ::-1] if mirrored else images
    return result


def overlaid(count: int, rng: np.random.Generator, training: Split) -> Pictures:
    """Lay three digits on top of each other, the second upside down and the third on its side."""
    first, second, third = training.images[rng.integers(len(training), size=(3, count))]
    together = np.maximum(np.maximum(first, second[:, ::-1, ::-1]), np.rot90(third, 1, (1, 2)))
    return _stacked([frame(image) for image in together])


def beside(count: int, rng: np.random.Generator, training: Split) -> Pictures:
    """Put two digits side by side."""
    result = []
    for left, right in training.images[rng.integers(len(training), size=(count, 2))]:
        gap, margin = np.zeros((SIDE, int(rng.integers(0, 5))), np.uint8), np.zeros((SIDE, 1), np.uint8)
        ends = [image[:, np.flatnonzero(image.any(axis=0))] for image in (left, right)]
        # With paper on both sides, which gives the outer strokes their soft edge.
        result.append(frame(np.hstack([margin, ends[0], gap, ends[1], margin])))
    return _stacked(result)


def curves(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw one smooth line that goes to and fro."""
    time = np.linspace(0, 1, _STEPS)
    frequencies = rng.uniform(0.5, 4.0, (count, 2, 4))
    # The fastest wave is the strongest, so that the line is longer than that of any digit.
    frequencies[..., 0] = rng.uniform(2.0, 4.0, (count, 2))
    phases = rng.uniform(0, 2 * np.pi, (count, 2, 4))
    size = rng.uniform(0.2, 1.0, (count, 2, 4))
    size[..., 0] = 1
    waves = np.sin(2 * np.pi * frequencies[..., None] * time + phases[..., None])
    return _lines([[line] for line in np.einsum("ndk,ndkt->ntd", size, waves)], rng)


def coils(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw spirals and rows of loops, with two turns and more."""
    time = np.linspace(0, 1, _STEPS)
    angle = 2 * np.pi * rng.uniform(2.2, 5.0, (count, 1)) * time + rng.uniform(0, 2 * np.pi, (count, 1))
    # Without either of the two it would be a ring, which is a 0.
    spiral = rng.random((count, 1)) < 0.4
    radius = 1 - spiral * rng.uniform(0.7, 1, (count, 1)) * time
    drift = np.where(spiral, 0, rng.uniform(2, 7, (count, 1))) * time
    x = radius * np.cos(angle) * rng.uniform(0.3, 1, (count, 1)) + drift
    turned = _rotated(np.stack([x, radius * np.sin(angle)], axis=2), rng.uniform(0, 2 * np.pi, count))
    return _lines([[line] for line in turned], rng)


def zigzags(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw zigzags of five straight lines and more; one of three is a Z, which is a 2."""
    result = []
    for points in rng.integers(6, 12, count).tolist():
        line = np.stack([np.arange(points) * rng.uniform(0.1, 0.8), np.arange(points) % 2 * 2.0], axis=1)
        line += rng.uniform(-0.3, 0.3, line.shape)
        result.append([_rotated(line[None], rng.uniform(0, 2 * np.pi, 1))[0]])
    return _lines(result, rng)


def strokes(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw a level line, two lines that cross in their middles, or four to seven lines anywhere."""
    result = []
    for number in rng.integers(1, 8, count).tolist():
        if number == 1:
            angle = np.deg2rad(rng.uniform(-25, 25, 1))
        elif number == 2:
            angle = rng.uniform(0, np.pi) + np.array([0, np.deg2rad(rng.uniform(50, 130))])
        else:
            result.append(list(rng.uniform(0, 1, (max(number, 4), 2, 2))))
            continue
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        middle = rng.uniform(-0.2, 0.2, direction.shape)
        result.append([np.stack([m - d, m + d]) for m, d in zip(middle, direction, strict=True)])
    return _lines(result, rng, thickest=12)


def corners(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw two or three sides of a rectangle, as borders of sheets and tables leave them; not the two of a 7."""
    corner = np.array([[0, 1], [0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    result = []
    for start in rng.integers(7, size=count).tolist():
        # The first four have three sides; the others are corners: upper left, lower right, lower left.
        sides = corner[start : start + 4] if start < 4 else corner[[0, 2, 3][start - 4] :][:3]
        line = sides * [rng.uniform(0.6, 1.6), 1] + rng.uniform(-0.05, 0.05, sides.shape)
        ends = line[[1, -2]] + (line[[0, -1]] - line[[1, -2]]) * rng.uniform(0.5, 1, (2, 1))
        result.append([np.concatenate([ends[:1], line[1:-1], ends[1:]])])
    return _lines(result, rng, thickest=12)


def rings(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw a ring with two to five marks in it, like a face; with one mark it would be a 0 with a dot or a stroke."""
    angle = np.linspace(0, 2 * np.pi, _STEPS)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    result = []
    for number in rng.integers(2, 6, count).tolist():
        size = rng.uniform(0.55, 1, 2)
        # One mark in each sector of the ring.
        around = 2 * np.pi * (np.arange(number) + rng.uniform(0, 0.6, number)) / number + rng.uniform(0, 2 * np.pi)
        away = rng.uniform(0.2, 0.55, (number, 1)) * size
        middles = np.stack([np.cos(around), np.sin(around)], axis=1) * away
        reach = rng.uniform(-0.3, 0.3, (number, 2)) * size
        marks = [np.stack([middle - end, middle + end]) for middle, end in zip(middles, reach, strict=True)]
        result.append([circle * size, *marks])
    return _lines(result, rng)


def shapes(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw one to four filled ellipses and polygons, some with a hole that is not that of a 0."""
    result = []
    for number in rng.integers(1, 5, count).tolist():
        picture = Image.new("L", (_CANVAS, _CANVAS))
        draw = ImageDraw.Draw(picture)
        for ink in [255] * number + [0] * (number > 2):
            middle, radius = rng.uniform(0.25, 0.75, 2) * _CANVAS, rng.uniform(0.08, 0.35) * _CANVAS
            corners = int(rng.integers(3, 9))
            angle = np.sort(rng.uniform(0, 2 * np.pi, corners)) if corners < 8 else np.linspace(0, 2 * np.pi, 30)
            reach = radius * rng.uniform(0.7, 1.3, 2)
            points = middle + np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach
            draw.polygon([tuple(point) for point in points.tolist()], fill=ink)
        result.append(np.asarray(picture))
    return _stacked([frame(image) for image in result if image.any()], count)


def blots(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Cut random fields off at a level: the blots that are left of a photograph when its dark parts pass for ink."""
    place = np.arange(SIDE) - (SIDE - 1) / 2
    sigma = rng.uniform(1.0, 4.0, (count, 2, 1, 1))
    knots = np.linspace(-16, 16, 16)
    bumps = np.exp(-((place - knots[:, None]) ** 2) / (2 * sigma**2))
    bumps /= np.sqrt((bumps**2).sum(axis=2, keepdims=True).mean(axis=3, keepdims=True))
    field = np.swapaxes(bumps[:, 0], 1, 2) @ rng.standard_normal((count, 16, 16)) @ bumps[:, 1]
    # Towards the border of a box with random sides the field falls below every level.
    reach = rng.uniform(5, 12, (count, 2, 1))
    y, x = np.abs(place)[None, :, None] / reach[:, :1], np.abs(place)[None, None, :] / reach[:, 1:]
    field -= 4 * np.maximum(np.maximum(x, y) - 1, 0)
    level = rng.uniform(-1.2, 1.0, (count, 1, 1))
    hardness = rng.uniform(1, 8, (count, 1, 1))
    images = np.clip((field - level) * hardness, 0, 1) * 255
    return _stacked([frame(image) for image in images.astype(np.uint8) if image.any()], count)


def noise(count: int, rng: np.random.Generator, _training: Split) -> Pictures:
    """Draw specks and grain all over the picture, or in a box."""
    density = rng.uniform(0.05, 0.95, (count, 1, 1))
    images = (rng.random((count, SIDE, SIDE)) < density) * rng.uniform(0, 255, (count, SIDE, SIDE))
    place = np.abs(np.arange(SIDE) - (SIDE - 1) / 2)
    reach = rng.uniform(6, 14, (2, count, 1))
    inside = (place < reach[0])[:, :, None] & (place < reach[1])[:, None, :]
    specks: Pictures = (images * inside).astype(np.uint8)
    return specks


_KINDS: Sequence[tuple[float, Kind]] = (
    (12, characters),
    (3, turned),
    (1, overlaid),
    (2, beside),
    (2, curves),
    (1, coils),
    (1, zigzags),
    (2, strokes),
    (1, corners),
    (2, rings),
    (1, shapes),
    (2, blots),
    (1, noise),
)
"""Each kind and its weight: its share of the outliers is its weight divided by the sum of all weights."""


def _rotated(lines: Floats, angle: Floats) -> Floats:
    """Turn lines of shape ``(n, points, 2)`` about the origin, each by its own angle."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
    result: Floats = lines @ turn
    return result


def _lines(drawings: Sequence[Sequence[Floats]], rng: np.random.Generator, thickest: int = 8) -> Pictures:
    """Draw pictures of lines.

    Args:
        drawings: for each picture its lines, each of shape ``(points, 2)``; together they are scaled to `_BOX`.
        rng: draws the width of each pen.
        thickest: largest width of a pen in pixels of the canvas.
    """
    widths = rng.integers(4, thickest + 1, len(drawings))
    result = []
    for lines, width in zip(drawings, widths.tolist(), strict=True):
        points = np.concatenate(lines)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = (_BOX - width) / (high - low).max()
        picture = Image.new("L", (_CANVAS, _CANVAS))
        draw = ImageDraw.Draw(picture)
        for line in lines:
            placed = ((line - (low + high) / 2) * scale + _CANVAS / 2).tolist()
            draw.line([tuple(point) for point in placed], fill=255, width=width, joint="curve")
        result.append(frame(np.asarray(picture)))
    return _stacked(result)


def _stacked(images: Sequence[Pictures], count: int | None = None) -> Pictures:
    """Return one array of pictures; where fewer than ``count`` are left, since some came out blank, they repeat."""
    stacked = np.array(images, np.uint8).reshape(-1, SIDE, SIDE)
    return stacked if count is None else np.resize(stacked, (count, SIDE, SIDE))
