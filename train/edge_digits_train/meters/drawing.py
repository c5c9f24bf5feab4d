"""Draw digits of meters and displays: wheels that turn, seven segments, dots, empty places and minus signs.

Every picture is the crop of one place as a person sets it: a little too wide or too narrow, with parts of its
neighbours, of the frame, or of the decimal point. Contrast, blur, noise, and light from a side come with the
augmentation of the recipe, which photographs get as well.
"""

import functools
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data import turns
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.prepare import prepare_arrays
from numpy.typing import NDArray
from PIL import Image

from edge_digits_train.lines import displays, typefaces
from edge_digits_train.meters.pictures import BLANK, MINUS
from edge_digits_train.recipes.recipe import METER_CLASSES

Rng = np.random.Generator
Ink = NDArray[np.uint8]
Grey = NDArray[np.float32]
_HEIGHT = 64
"""Of a place in pixels, before it is scaled to the input of the model."""
NOTHING = len(METER_CLASSES)
"""Label of a picture of none of the classes."""


@dataclass(frozen=True)
class Mix:
    """Shares of the kinds of pictures, together 1."""

    wheel: float = 0.55
    segments: float = 0.27
    dots: float = 0.04
    blank: float = 0.05
    minus: float = 0.05
    nothing: float = 0.04


MIX = Mix()


def draw(
    count: int, rng: Rng, form: Input, held_out: bool = False, mix: Mix = MIX
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw pictures.

    Args:
        count: how many.
        rng: the same generator state gives the same pictures.
        form: the input of a model, of kind ``crop``.
        held_out: whether wheels have typefaces that no training picture has.
        mix: how many of each kind.

    Returns:
        uint8 of shape ``(count, form.height, form.width)``, and labels: indices into
        `edge_digits_train.recipes.recipe.METER_CLASSES`, or `NOTHING`.
    """
    kinds = (_wheel, _segments, _dots, _blank, _minus, _nothing)
    shares = np.array([mix.wheel, mix.segments, mix.dots, mix.blank, mix.minus, mix.nothing])
    size = (form.width, form.height)
    pictures, labels = [], np.zeros(count, np.uint8)
    for number, kind in enumerate(rng.choice(len(kinds), count, p=shares / shares.sum()).tolist()):
        grey, labels[number] = kinds[kind](rng, held_out)
        small = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
        pictures.append(np.asarray(small.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)))
    return prepare_arrays(np.stack(pictures), form), labels


@functools.cache
def _faces(held_out: bool) -> tuple[typefaces.Typefaces, NDArray[np.intp]]:
    """Return all typefaces, and the numbers of those that wheels are printed in."""
    faces = typefaces.unpack()
    return faces, np.flatnonzero(~faces.hand & (faces.held_out == held_out))


def _tones(rng: Rng, least: float = 25.0) -> tuple[float, float]:
    """Return the greys of ground and ink, either the lighter one."""
    ground, ink = rng.uniform(5, 250, 2)
    while abs(ground - ink) < least:
        ground, ink = rng.uniform(5, 250, 2)
    return float(ground), float(ink)


def _painted(cover: Grey, rng: Rng, least: float = 25.0) -> Grey:
    """Give a picture of ink, 0 to 1, its greys, and now and then glare."""
    ground, ink = _tones(rng, least)
    grey = ground + (ink - ground) * cover
    if rng.random() < 0.12:
        _glare(grey, rng)
    return grey.astype(np.float32)


def _glare(grey: Grey, rng: Rng) -> None:
    """Put a soft light, or a dark reflection, into a picture, in place."""
    high, wide = grey.shape
    y, x = np.ogrid[:high, :wide]
    reach = rng.uniform(0.08, 0.3) * high
    away = ((y - rng.uniform(0, high)) / (reach * rng.uniform(0.5, 2))) ** 2 + ((x - rng.uniform(0, wide)) / reach) ** 2
    grey += (rng.uniform(0, 255) - grey) * (rng.uniform(0.2, 0.7) * np.exp(-away))


def _cover(ink: Ink) -> Grey:
    """Return ink, 0 to 255, as shares, 0 to 1."""
    return (ink / 255).astype(np.float32)


def _glyph(face: int, digit: str, faces: typefaces.Typefaces, high: float, wide: float) -> Grey:
    """Return a digit, 0 to 1, ``high`` pixels high, its width scaled by ``wide``."""
    bitmap, _, _, _ = faces.glyph(face, digit)
    scale = high / typefaces.HEIGHT
    return _cover(typefaces.resized(bitmap, scale * wide, scale))


def _put(sheet: Grey, mark: Grey, y: float, x: float) -> None:
    """Draw a mark into a sheet with its middle at ``(y, x)``, cut off at the edges."""
    top, left = round(y - mark.shape[0] / 2), round(x - mark.shape[1] / 2)
    rows = slice(max(top, 0), min(top + mark.shape[0], sheet.shape[0]))
    columns = slice(max(left, 0), min(left + mark.shape[1], sheet.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        part = mark[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        np.maximum(sheet[rows, columns], part, out=sheet[rows, columns])


def _wheel(rng: Rng, held_out: bool) -> tuple[Grey, int]:
    """Draw a wheel, at any tenth: digits come up from below, on a drum that is seen through a window."""
    faces, chosen = _faces(held_out)
    face = int(rng.choice(chosen))
    while not faces.has(face, "0123456789"):
        face = int(rng.choice(chosen))
    tenths = int(rng.integers(turns.COUNT))
    place = (tenths + rng.uniform(-0.4, 0.4)) / 10
    width = int(_HEIGHT * rng.uniform(0.5, 0.85))
    # A little outside of the picture, so that what is bent in comes from somewhere.
    sheet = np.zeros((2 * _HEIGHT, width), np.float32)
    high = _HEIGHT * rng.uniform(0.45, 0.85)
    pitch = high * rng.uniform(1.08, 1.9)
    wide = rng.uniform(0.75, 1.35)
    middle = _HEIGHT + rng.normal(0, 0.02) * _HEIGHT
    centre = width / 2 + rng.normal(0, 0.04) * width
    for step in range(-2, 3):
        digit = int(np.floor(place)) + step
        at = middle + (digit - place) * pitch
        if -high < at < 2 * _HEIGHT + high:
            _put(sheet, _glyph(face, str(digit % 10), faces, high, wide), at, centre)
    cover = _window(sheet, rng)
    grey = _painted(cover, rng)
    _drum(grey, rng)
    _edges(grey, rng)
    return grey, tenths


def _window(sheet: Grey, rng: Rng) -> Grey:
    """Return the middle half of a drum's face, nearer to its edges the more bent away."""
    bend = rng.uniform(0, 0.9) if rng.random() < 0.7 else 0.0
    y = np.linspace(-1, 1, _HEIGHT)
    # Rows at the edge of a drum stand for more of its face.
    face = y if not bend else np.arcsin(bend * y) / bend
    rows = np.clip(_HEIGHT + face * _HEIGHT / 2 - 0.5, 0, 2 * _HEIGHT - 2)
    first = rows.astype(np.intp)
    share = (rows - first).astype(np.float32)[:, None]
    return (sheet[first] * (1 - share) + sheet[first + 1] * share).astype(np.float32)


def _drum(grey: Grey, rng: Rng) -> None:
    """Let the light fade towards the upper and lower edge, in place."""
    if rng.random() < 0.6:
        y = np.linspace(-1, 1, grey.shape[0])[:, None] + rng.uniform(-0.3, 0.3)
        grey *= (1 - rng.uniform(0, 0.6) * y**2).astype(np.float32)


def _edges(grey: Grey, rng: Rng) -> None:
    """Show parts of the frame, or of the wheel beside it, at up to three sides, in place."""
    high, wide = grey.shape
    for side in range(4):
        if rng.random() > 0.28:
            continue
        tone, far = rng.uniform(0, 255), rng.uniform(0.01, 0.13)
        rows = int(high * far) + 1 if side < 2 else high
        columns = int(wide * far * 1.2) + 1 if side >= 2 else wide
        inset = int(rng.uniform(0, 0.06) * wide) if side >= 2 and rng.random() < 0.3 else 0
        down = slice(0, rows) if side == 0 else slice(high - rows, high) if side == 1 else slice(0, high)
        if side == 2:
            across = slice(inset, inset + columns)
        elif side == 3:
            across = slice(wide - inset - columns, wide - inset)
        else:
            across = slice(0, wide)
        grey[down, across] += (tone - grey[down, across]) * np.float32(rng.uniform(0.3, 1))


def _display(text: str, at: int, rng: Rng, dotted: bool) -> Grey:
    """Return the place of one character of a display, 0 to 1, with what is seen of its neighbours."""
    ink, boxes = (displays.dots if dotted else displays.segments)(text, rng, 44)
    first, last, _ = boxes[at]
    # A 1 is as wide as its place in segments; in dots too.
    wide, high = last - first, ink.shape[0]
    left = first - rng.uniform(-0.06, 0.42) * wide
    right = last + rng.uniform(-0.06, 0.42) * wide
    above, below = rng.uniform(-0.04, 0.3, 2) * high
    size = max(1, round(right - left)), max(1, round(high + above + below))
    crop = Image.fromarray(ink).crop((round(left), -round(above), round(left) + size[0], -round(above) + size[1]))
    return _cover(np.asarray(crop))


def _digits(rng: Rng, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count).tolist()))


def _framed(rng: Rng, middle: str, dotted: bool) -> Grey:
    """Return ``middle`` alone, or between other characters."""
    if rng.random() < 0.35:
        return _display(middle, 0, rng, dotted)
    before, behind = _digits(rng, 1), _digits(rng, 1)
    point = rng.choice(["", "", ".", "," if dotted else "."])
    way = rng.random()
    if way < 0.5:
        return _display(before + middle + point + behind, 1, rng, dotted)
    if way < 0.75:
        # The point of the place before it.
        return _display(before + "." + middle + behind, 2, rng, dotted)
    return _display(middle + point + behind, 0, rng, dotted)


def _lit(cover: Grey, rng: Rng) -> Grey:
    """Give a display its greys: an LCD's shadow behind each stroke, now and then, and a frame."""
    if rng.random() < 0.35:
        down, right = int(rng.integers(0, 4)), int(rng.integers(1, 4))
        shadow = np.zeros_like(cover)
        shadow[down:, right:] = cover[: cover.shape[0] - down, : cover.shape[1] - right]
        cover = np.maximum(cover, shadow * np.float32(rng.uniform(0.1, 0.45)))
    grey = _painted(cover, rng)
    _edges(grey, rng)
    return grey


def _segments(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    digit = int(rng.integers(10))
    return _lit(_framed(rng, str(digit), dotted=False), rng), 10 * digit


def _dots(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    digit = int(rng.integers(10))
    return _lit(_framed(rng, str(digit), dotted=True), rng), 10 * digit


def _minus(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    return _lit(_framed(rng, "-", dotted=rng.random() < 0.2), rng), MINUS


def _blank(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    """Draw an empty place: plain ground, or beside a lit place whose edge or point is seen."""
    if rng.random() < 0.5:
        return _lit(_framed(rng, " ", dotted=False), rng), BLANK
    ground = rng.uniform(5, 250)
    grey = np.full((_HEIGHT, int(_HEIGHT * rng.uniform(0.5, 0.95))), ground, np.float32)
    grey += rng.normal(0, rng.uniform(1.0, 5.0), grey.shape).astype(np.float32)
    for axis in (0, 1):
        ramp = np.linspace(-1, 1, grey.shape[axis], dtype=np.float32)
        grey += np.expand_dims(ramp * np.float32(rng.normal(0, 20)), 1 - axis)
    if rng.random() < 0.4:
        _glare(grey, rng)
    _edges(grey, rng)
    return grey, BLANK


def _nothing(rng: Rng, held_out: bool) -> tuple[Grey, int]:
    """Draw what is none of the classes: a letter or sign of a type, dirt, or a place between two characters."""
    way = rng.random()
    if way < 0.5:
        faces, chosen = _faces(held_out)
        face = int(rng.choice(chosen))
        letters = [c for c in "ABCEFGHJKLMNPQRTUVWXYZadefhkmnrtw%" if c in faces.characters and faces.has(face, c)]
        sheet = np.zeros((_HEIGHT, int(_HEIGHT * rng.uniform(0.5, 0.85))), np.float32)
        if letters:
            mark = _glyph(face, str(rng.choice(letters)), faces, _HEIGHT * rng.uniform(0.5, 0.8), 0.8)
            _put(sheet, mark, _HEIGHT / 2, sheet.shape[1] / 2)
        return _painted(sheet, rng), NOTHING
    if way < 0.75:
        ink, boxes = displays.segments(_digits(rng, 4), rng, 44)
        middle = (boxes[1][1] + boxes[2][0]) / 2
        half = (boxes[1][1] - boxes[1][0]) * 0.6
        crop = Image.fromarray(ink).crop((round(middle - half), -4, round(middle + half), ink.shape[0] + 4))
        return _painted(_cover(np.asarray(crop)), rng), NOTHING
    grey = np.full((_HEIGHT, int(_HEIGHT * rng.uniform(0.5, 0.85))), rng.uniform(5, 250), np.float32)
    for _ in range(int(rng.integers(2, 7))):
        _glare(grey, rng)
    return grey, NOTHING
