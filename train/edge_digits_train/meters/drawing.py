"""Draw digits of meters and displays: wheels that turn, seven segments, dots, empty places and minus signs.

They are drawn as what stands in one place with parts of its neighbours; `edge_digits_train.meters.camera` adds the
window, the light and the camera.
"""

from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data import turns
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.image.prepare import prepare
from numpy.typing import NDArray
from PIL import Image

from edge_digits_train.lines import displays, typefaces
from edge_digits_train.meters.camera import photograph
from edge_digits_train.meters.faces import Face, PrintFace, StrokeFace, printed
from edge_digits_train.meters.pictures import BLANK, MINUS
from edge_digits_train.recipes.recipe import METER_CLASSES

Rng = np.random.Generator
Grey = NDArray[np.float32]
_HEIGHT = 64
"""Height of a place in pixels, before it is photographed."""
NOTHING = len(METER_CLASSES)
"""Label of a picture of none of the classes."""


@dataclass(frozen=True)
class Mix:
    """Shares of the kinds of pictures, together 1."""

    wheel: float = 0.7
    segments: float = 0.18
    dots: float = 0.03
    blank: float = 0.03
    minus: float = 0.03
    nothing: float = 0.03


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
    pictures, labels = np.zeros((count, *form.shape), np.uint8), np.zeros(count, np.uint8)
    for number, kind in enumerate(rng.choice(len(kinds), count, p=shares / shares.sum()).tolist()):
        grey, labels[number] = kinds[kind](rng, held_out)
        pictures[number] = prepare(Image.fromarray(photograph(grey, rng)), form).pixels
    return pictures, labels


def _tones(rng: Rng) -> tuple[float, float]:
    """Return the greys of ground and ink, either the lighter one."""
    ground, ink = rng.uniform(10, 245, 2)
    least = rng.uniform(40, 110)
    while abs(ground - ink) < least:
        ground, ink = rng.uniform(10, 245, 2)
    return float(ground), float(ink)


def _painted(cover: Grey, rng: Rng) -> Grey:
    """Give a picture of ink, 0 to 1, its greys."""
    ground, ink = _tones(rng)
    return (ground + (ink - ground) * cover).astype(np.float32)


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
    face: Face = PrintFace(rng, held_out) if held_out or rng.random() < 0.5 else StrokeFace(rng)
    tenths = int(rng.integers(turns.COUNT))
    return _turned(face, (tenths + rng.uniform(-0.4, 0.4)) / 10, rng), tenths


def _turned(face: Face, place: float, rng: Rng) -> Grey:
    """Draw a wheel at ``place``, 3.4 between 3 and 4."""
    width = int(_HEIGHT * rng.uniform(0.52, 0.8))
    high = _HEIGHT * rng.uniform(0.5, 0.86)
    pitch = high * rng.uniform(1.08, 1.6)
    middle, centre = _HEIGHT * (1 + rng.normal(0, 0.02)), width * (0.5 + rng.normal(0, 0.05))
    # Those of which a part may be seen: the face of a bent drum reaches a little beyond the window.
    reach = 0.65 * _HEIGHT + high / 2
    numbers = range(int(np.ceil(place - reach / pitch)), int(np.floor(place + reach / pitch)) + 1)
    digits = [face.digit(number % 10, high) for number in numbers]
    widest = max(digit.shape[1] for digit in digits)
    fit = min(1.0, width * rng.uniform(0.5, 0.9) / widest)
    # A little outside of the picture, so that what is bent in comes from somewhere.
    cover = np.zeros((2 * _HEIGHT, width), np.float32)
    for number, digit in zip(numbers, digits, strict=True):
        if fit < 1:
            narrow = max(2, int(digit.shape[1] * fit)), digit.shape[0]
            digit = np.asarray(Image.fromarray(digit).resize(narrow, Image.Resampling.BILINEAR))
        _put(cover, digit, middle + (number - place) * pitch, centre)
    ground, ink = _tones(rng)
    sheet = (ground + (ink - ground) * cover).astype(np.float32)
    free = min(centre, width - centre) - widest * fit / 2
    for side in (slice(None), slice(None, None, -1)):
        # Views of the sheet, in which the side is the left one.
        if rng.random() < 0.5:
            _neighbour(sheet[:, side], free, face, (ground, ink), (high, pitch), rng)
        if rng.random() < 0.22:
            _ticks(sheet[:, side], (middle - place * pitch, pitch), ink, rng)
    return _drum(sheet, rng)


def _neighbour(
    sheet: Grey, free: float, face: Face, tones: tuple[float, float], sizes: tuple[float, float], rng: Rng
) -> None:
    """Show the gap left of a wheel and a part of the wheel beyond it, in place; ``free`` columns are without digits."""
    ground, ink = tones
    high, pitch = sizes
    wide = sheet.shape[1]
    edge = max(0, int(rng.uniform(-0.3, 1) * free))
    inner = max(0, edge - int(wide * rng.uniform(0.03, 0.15)))
    sheet[:, :edge] = ground * rng.uniform(0.6, 1.2) if rng.random() < 0.6 else rng.uniform(0, 255)
    sheet[:, inner:edge] = rng.uniform(0, 60) if rng.random() < 0.7 else rng.uniform(0, 255)
    if inner > 3 and rng.random() < 0.3:
        cover = np.zeros((sheet.shape[0], inner), np.float32)
        offset = rng.uniform(-0.5, 0.5)
        for step, number in enumerate(rng.integers(0, 10, 3).tolist()):
            digit = face.digit(number, high)
            _put(cover, digit, _HEIGHT + (step - 1 + offset) * pitch, inner - digit.shape[1] / 2)
        sheet[:, :inner] += (ink - sheet[:, :inner]) * cover


def _ticks(sheet: Grey, turning: tuple[float, float], ink: float, rng: Rng) -> None:
    """Draw marks left of a wheel that turn with it, in place, as the last wheel of many meters has them."""
    start, pitch = turning
    wide = sheet.shape[1]
    each = pitch / float(rng.choice([1, 2, 5, 10, 10]))
    inset = int(wide * rng.uniform(0, 0.12))
    y = np.arange(sheet.shape[0]) - start + rng.uniform(0, each)
    marked = y % each < each * rng.uniform(0.2, 0.6)
    columns = slice(inset, inset + max(2, int(wide * rng.uniform(0.06, 0.28))))
    sheet[marked, columns] = ink if rng.random() < 0.7 else rng.uniform(0, 255)


def _drum(sheet: Grey, rng: Rng) -> Grey:
    """Return the middle half of a drum's face: nearer to its edges it is bent away, and often darker."""
    bend = rng.uniform(0, 0.9) if rng.random() < 0.6 else 0.0
    y = np.linspace(-1, 1, _HEIGHT)
    # Rows at the edge of a drum stand for more of its face.
    face = y if not bend else np.arcsin(bend * y) / bend
    rows = np.clip(_HEIGHT + face * _HEIGHT / 2 - 0.5, 0, 2 * _HEIGHT - 2)
    first = rows.astype(np.intp)
    share = (rows - first).astype(np.float32)[:, None]
    grey = sheet[first] * (1 - share) + sheet[first + 1] * share
    if rng.random() < 0.6:
        away = y[:, None] + rng.uniform(-0.4, 0.4)
        grey *= np.clip(1 - rng.uniform(0, 0.75) * away**2, 0.05, None)
    return grey.astype(np.float32)


def _display(text: str, at: int, rng: Rng, dotted: bool) -> Grey:
    """Return the place of one character of a display, 0 to 1, with what is seen of its neighbours."""
    ink, boxes = (displays.dots if dotted else displays.segments)(text, rng, 52)
    first, last, _ = boxes[at]
    # A 1 is as wide as its place in segments; in dots too.
    wide, high = last - first, ink.shape[0]
    around = rng.uniform(0, 0.22)
    left = first - (around + rng.uniform(-0.06, 0.18)) * wide
    right = last + (around + rng.uniform(-0.06, 0.18)) * wide
    above, below = rng.uniform(-0.04, 0.3, 2) * high
    crop = Image.fromarray(ink).crop((round(left), round(-above), round(right), round(high + below)))
    size = max(20, round(_HEIGHT * (right - left) / (high + above + below))), _HEIGHT
    return np.asarray(crop.resize(size, Image.Resampling.BILINEAR), np.float32) / np.float32(255)


def _digits(rng: Rng, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count).tolist()))


def _framed(rng: Rng, middle: str, dotted: bool) -> Grey:
    """Return ``middle`` alone, or between other characters."""
    if rng.random() < 0.3:
        return _display(middle, 0, rng, dotted)
    before, behind = _digits(rng, 1), _digits(rng, 1)
    point = rng.choice(["", "", ".", "," if dotted else "."])
    way = rng.random()
    if way < 0.5:
        return _display(before + middle + point + behind, 1, rng, dotted)
    if way < 0.8:
        # The point of the place before it.
        return _display(before + "." + middle + behind, 2, rng, dotted)
    return _display(middle + point + behind, 0, rng, dotted)


def _lit(cover: Grey, rng: Rng) -> Grey:
    """Give a display its greys, and now and then an LCD's shadow behind each stroke."""
    if rng.random() < 0.4:
        down, across = int(rng.integers(0, 5)), int(rng.integers(-3, 6))
        moved = np.pad(cover, ((down, 0), (max(across, 0), max(-across, 0))))
        shadow = moved[: cover.shape[0], max(-across, 0) :][:, : cover.shape[1]]
        cover = np.maximum(cover, shadow * np.float32(rng.uniform(0.1, 0.5)))
    return _painted(cover, rng)


def _segments(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    digit = int(rng.integers(10))
    return _lit(_framed(rng, str(digit), dotted=False), rng), 10 * digit


def _dots(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    digit = int(rng.integers(10))
    return _lit(_framed(rng, str(digit), dotted=True), rng), 10 * digit


def _minus(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    return _lit(_framed(rng, "-", dotted=rng.random() < 0.2), rng), MINUS


def _blank(rng: Rng, held_out: bool) -> tuple[Grey, int]:  # noqa: ARG001
    """Draw an empty place: beside a lit one whose edge or point is seen, or plain ground."""
    if rng.random() < 0.5:
        return _lit(_framed(rng, " ", dotted=False), rng), BLANK
    return np.full((_HEIGHT, int(_HEIGHT * rng.uniform(0.5, 0.8))), rng.uniform(10, 245), np.float32), BLANK


def _nothing(rng: Rng, held_out: bool) -> tuple[Grey, int]:
    """Draw what is none of the classes: a letter or sign of a type, dirt, or a place between two characters."""
    way = rng.random()
    if way < 0.5:
        faces, every, _ = printed(held_out)
        face = int(rng.choice(every))
        letters = [c for c in "ABCEFGHJKLMNPQRTUVWXYZadefhkmnrtw%" if c in faces.characters and faces.has(face, c)]
        sheet = np.zeros((_HEIGHT, int(_HEIGHT * rng.uniform(0.5, 0.85))), np.float32)
        if letters:
            scale = _HEIGHT * rng.uniform(0.5, 0.8) / typefaces.HEIGHT
            mark = typefaces.resized(faces.glyph(face, str(rng.choice(letters)))[0], 0.8 * scale, scale)
            _put(sheet, np.asarray(mark, np.float32) / np.float32(255), _HEIGHT / 2, sheet.shape[1] / 2)
        return _painted(sheet, rng), NOTHING
    if way < 0.75:
        ink, boxes = displays.segments(_digits(rng, 4), rng, 44)
        middle = (boxes[1][1] + boxes[2][0]) / 2
        half = (boxes[1][1] - boxes[1][0]) * 0.6
        crop = Image.fromarray(ink).crop((round(middle - half), -4, round(middle + half), ink.shape[0] + 4))
        size = max(20, round(_HEIGHT * crop.width / crop.height)), _HEIGHT
        return _painted(np.asarray(crop.resize(size), np.float32) / np.float32(255), rng), NOTHING
    grey = np.full((_HEIGHT, int(_HEIGHT * rng.uniform(0.5, 0.85))), rng.uniform(0, 255), np.float32)
    y, x = np.ogrid[: grey.shape[0], : grey.shape[1]]
    for _ in range(int(rng.integers(2, 7))):
        reach = rng.uniform(0.05, 0.4, 2) * _HEIGHT
        away = ((y - rng.uniform(0, grey.shape[0])) / reach[0]) ** 2 + (
            (x - rng.uniform(0, grey.shape[1])) / reach[1]
        ) ** 2
        grey += (rng.uniform(0, 255) - grey) * (rng.uniform(0.2, 0.9) * np.exp(-away))
    return grey.astype(np.float32), NOTHING
