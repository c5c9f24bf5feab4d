"""Numbers on displays and dials: seven segments, dots, and the wheels of meters."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_digits_train.lines.library import Library

Rng = np.random.Generator
Ink = NDArray[np.uint8]
_LIT = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd",
    "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "abcdfg", "-": "g", " ": "",
}  # fmt: skip
"""The lit segments of each character: a on top, then clockwise to f, g in the middle."""
_DOTS = {
    "0": "3a33ae62e", "1": "11842108e", "2": "3a211111f", "3": "7c441062e", "4": "08ca97c42", "5": "7e1e0862e",
    "6": "1910f462e", "7": "7c2222108", "8": "3a317462e", "9": "3a317844c", "-": "0000f8000", "+": "0084f9080",
    "/": "002222200", ":": "018c03180", ".": "00000018c", ",": "000003088", "=": "001f07c00", "%": "632222263",
    "×": "022a22a20", "(": "088842082", ")": "208210888",
}  # fmt: skip
"""The lit dots of each character, 7 rows of 5, as one hexadecimal number of 35 bits."""
_PLACES = {
    "a": (0, 0, False), "b": (1, 0, True), "c": (1, 1, True), "d": (0, 2, False),
    "e": (0, 1, True), "f": (0, 0, True), "g": (0, 1, False),
}  # fmt: skip
"""Where each segment is: across and down in segments, and whether it stands upright."""
SEGMENTS = frozenset("0123456789-.,: ")
"""What `segments` can draw."""
DOTS = frozenset(_DOTS) | {" "}
"""What `dots` can draw."""


def segments(text: str, rng: Rng, height: int) -> tuple[Ink, list[tuple[int, int, str]]]:
    """Draw ``text``, of characters in `SEGMENTS`, on a seven-segment display.

    Args:
        text: what to draw; it starts with a digit or a minus.
        rng: decides form, slant, and whether unlit segments are seen.
        height: of a digit in pixels.

    Returns:
        Ink, 255 is lit, and the first and last column of each character.
    """
    big = height * 2
    wide = big * rng.uniform(0.45, 0.65)
    thick = big * rng.uniform(0.07, 0.17)
    gap = thick * rng.uniform(0.02, 0.35)
    pitch = wide + big * rng.uniform(0.1, 0.35)
    pointed = rng.random() < 0.6
    tailed = rng.random() < 0.5
    ghost = int(255 * rng.uniform(0.03, 0.22)) if rng.random() < 0.4 else 0
    slant = rng.choice([0.0, 0.0, rng.uniform(0, 0.2)])
    point_own = rng.random() < 0.5
    picture = Image.new("L", (int(pitch * (len(text) + 1) + big * 0.5), int(big * 1.12)))
    draw = ImageDraw.Draw(picture)
    half = big / 2

    def bar(x: float, y: float, long: float, upright: bool, ink: int) -> None:
        t, tip = thick / 2, (thick / 2 if pointed else thick / 6)
        along = [gap, gap + tip, long - gap - tip, long - gap]
        points = [(along[0], 0), (along[1], -t), (along[2], -t), (along[3], 0), (along[2], t), (along[1], t)]
        draw.polygon([(x + q, y + p) if upright else (x + p, y + q) for p, q in points], fill=ink)

    span, tall = wide - thick, half - thick / 2
    x = thick / 2 + 1
    boxes = []
    for character in text:
        start = x
        if character in ".,:":
            r = thick * rng.uniform(0.5, 0.7)
            at = x - pitch + wide + (pitch - wide) * 0.5 - thick / 2 if not point_own else x + thick * 0.3
            for y in [big * 0.3, big * 0.7] if character == ":" else [big - r]:
                shape = (at - r, y - r, at + r, y + r)
                draw.rectangle(shape, fill=255) if pointed else draw.ellipse(shape, fill=255)
                if character == ",":
                    draw.line([(at, y), (at - r, y + 2.5 * r)], fill=255, width=max(2, int(r)))
            if point_own or character == ":":
                x += thick * 2
            boxes.append((int(at - r), int(at + r), character))
            continue
        for name, (across, down, upright) in _PLACES.items():
            lit = name in _LIT[character] or (name == "f" and character == "7" and tailed)
            ink = 255 if lit else ghost
            if ink:
                bar(x + across * span, thick / 2 + down * tall, tall if upright else span, upright, ink)
        boxes.append((int(start), int(start + wide), character))
        x += pitch
    picture = picture.crop(
        (0, 0, min(picture.width, int(x - pitch + wide + thick + (pitch - wide) * 0.8)), picture.height)
    )
    if slant:
        picture = picture.transform(
            (int(picture.width + slant * big), picture.height),
            Image.Transform.AFFINE,
            (1, slant, -slant * big, 0, 1, 0),
            Image.Resampling.BILINEAR,
        )
    small = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BILINEAR)
    return np.asarray(small), [(a // 2, b // 2, c) for a, b, c in boxes]


def dots(text: str, rng: Rng, height: int) -> tuple[Ink, list[tuple[int, int, str]]]:
    """Draw ``text``, of characters in `DOTS`, in a matrix of 5 × 7 dots a character; as `segments`."""
    cell = 8
    r = rng.uniform(2.2, 4.4)
    round_dot = rng.random() < 0.6
    ghost = int(255 * rng.uniform(0.03, 0.2)) if rng.random() < 0.3 else 0
    dot = Image.new("L", (cell, cell))
    shape = (cell / 2 - r, cell / 2 - r, cell / 2 + r - 0.5, cell / 2 + r - 0.5)
    ImageDraw.Draw(dot).ellipse(shape, fill=255) if round_dot else ImageDraw.Draw(dot).rectangle(shape, fill=255)
    mark = np.asarray(dot)
    bits = []
    boxes = []
    at = 1
    for character in text:
        if character == " ":
            glyph = np.zeros((7, 3), np.uint8)
        else:
            glyph = np.array(list(f"{int(_DOTS[character], 16):035b}"), np.uint8).reshape(7, 5)
            if character in ".,:" and rng.random() < 0.6:
                glyph = glyph[:, 1:4]
        boxes.append((at, at + glyph.shape[1], character))
        bits += [glyph, np.zeros((7, 1), np.uint8)]
        at += glyph.shape[1] + 1
    plane = np.concatenate([np.zeros((7, 1), np.uint8), *bits], 1)
    light = np.where(plane, 255, ghost).astype(np.float32) / 255
    ink = Image.fromarray(np.kron(light, mark.astype(np.float32)).astype(np.uint8))
    scale = height / ink.height
    small = ink.resize((max(1, int(ink.width * scale)), height), Image.Resampling.BILINEAR)
    places = [(int(a * cell * scale), int(b * cell * scale), c) for a, b, c in boxes if c != " "]
    return np.asarray(small), places


def wheels(library: Library, rng: Rng, height: int) -> tuple[NDArray[np.uint8], str]:
    """Return a grey picture, ``height`` pixels high, of one to eight digits of a meter side by side, and the digits."""
    meters = np.unique(library.wheel_meters)
    count = int(rng.choice([1, 1, 1, 2, 3, 4, 5, 6, 7, 8]))
    own = np.flatnonzero(library.wheel_meters == rng.choice(meters))
    if rng.random() < 0.5:
        own = np.flatnonzero(library.wheel_meters == library.wheel_meters[int(rng.integers(len(library.wheel_meters)))])
    pick = own[rng.integers(0, len(own), count)]
    # Wheels of like brightness stand together.
    if count > 1 and rng.random() < 0.7:
        level = library.wheels[own].reshape(len(own), -1)[:, ::37].mean(1)
        near = np.argsort(np.abs(level - level[int(rng.integers(len(own)))]))[: max(40, count)]
        pick = own[near[rng.integers(0, len(near), count)]]
    gap = int(rng.integers(0, 9)) if rng.random() < 0.7 else 0
    level = int(rng.integers(0, 256))
    parts = [np.full((32, int(rng.integers(0, 5))), level, np.uint8)]
    cut = int(rng.integers(0, 4)) if rng.random() < 0.5 else 0
    for number in pick:
        image = library.wheels[number]
        image = image[:, cut // 2 : 20 - cut // 2]
        parts += [image, np.full((32, gap), level, np.uint8)]
    row = np.concatenate(parts, 1)
    up, down = (int(rng.integers(0, 6)) if rng.random() < 0.35 else 0 for _ in range(2))
    row = np.pad(row, ((up, down), (0, 0)), constant_values=level)
    if up == down == 0 and rng.random() < 0.4:
        # A tighter crop.
        row = row[int(rng.integers(0, 3)) : 32 - int(rng.integers(0, 3))]
    scale_x = height / row.shape[0] * rng.uniform(0.85, 1.25)
    text = "".join(str(digit) for digit in library.wheel_digits[pick])
    width = max(4, int(row.shape[1] * scale_x))
    return np.asarray(Image.fromarray(row).resize((width, height), Image.Resampling.BILINEAR)), text
