"""Ways in which numbers, words and junk stand on a page: alone, in cells, in tables, in rows, cut out one by one."""

import itertools

import numpy as np
from PIL import Image

from edge_digits_train.lines import displays, photo
from edge_digits_train.lines.library import Library
from edge_digits_train.lines.page_items import Item
from edge_digits_train.lines.page_sheet import LEVEL, NOTHING, Pictures, Pieces, Rng, Sheet, height_code


def stretched(picture: Pictures) -> Pictures:
    """Stretch the range from the darkest 1 % to the lightest 1 % of a picture, as the finder does in use."""
    from edge_digits_runtime.page.row_finder import stretch

    return stretch(picture)


def gallery(rng: Rng, pieces: Pieces, side: int) -> tuple[Pictures, Pictures, Pictures]:
    """Pictures of single lines with a gap between them, as the sizes of such a picture lie on the canvas of the finder.

    Each fills its picture up to the edges. Returns the picture, the classes and the heights.
    """
    gap = 16
    picture = np.zeros((side, side), np.uint8)
    classes, heights = np.zeros((2, side, side), np.uint8)
    empty = True
    y = int(rng.integers(0, 2 * gap))
    while y < side - 8:
        x, tallest = int(rng.integers(0, 2 * gap)), 8
        while x < side - 8:
            cutting = pieces.cuttings[int(rng.integers(len(pieces.cuttings)))]
            scale = min(float(np.exp(rng.uniform(np.log(7), np.log(40)))) / cutting.size, 1.5)
            high, wide = (max(1, round(edge * scale)) for edge in cutting.picture.shape)
            small = Image.fromarray(cutting.picture).resize((wide, high), Image.Resampling.BOX)
            shown = stretched(np.asarray(small))
            if empty:
                picture[:] = int(np.median(shown))
                empty = False
            here = np.s_[: min(high, side - y), : min(wide, side - x)]
            there = np.s_[y : y + high, x : x + wide]
            picture[there] = shown[here]
            small = Image.fromarray(cutting.classes).resize((wide, high), Image.Resampling.NEAREST)
            classes[there] = np.asarray(small)[here]
            heights[there] = height_code(cutting.size * scale)
            x, tallest = x + wide + gap, max(tallest, high)
        y += tallest + gap
    return picture, classes, heights


def clean(rng: Rng, ink: Pictures, rules: Pictures) -> Pictures:
    """Return ink on even paper."""
    paper = rng.uniform(150, 255)
    tone = rng.uniform(0, 0.6) * paper
    if rng.random() < 0.15:
        paper, tone = tone, paper
    return stretched((paper + np.maximum(ink, rules) * np.float32((tone - paper) / 255)).astype(np.uint8))


def few(rng: Rng, pieces: Pieces, side: int) -> Sheet:
    """One number, or a few, with much room around, up to the height of the sheet."""
    sheet = Sheet(float(np.exp(rng.uniform(np.log(7), np.log(36 if rng.random() < 0.85 else 200)))), side)
    count = 1 if rng.random() < 0.7 else int(rng.integers(2, 5))
    taken: list[tuple[float, float]] = []
    for _ in range(count):
        item = _pick(rng, pieces.numbers if rng.random() < 0.7 else pieces.digits)
        size = sheet.size * float(np.exp(rng.normal(0, 0.15))) if taken else sheet.size
        wide = item.ink.shape[1] * size / (item.base - item.top)
        x, base = rng.uniform(0, max(side - wide, 1)), rng.uniform(size, max(side - 1, size + 1))
        if any(abs(base - other) < 1.6 * max(size, own) for other, own in taken):
            continue
        taken.append((base, size))
        way = rng.random()
        if way < 0.15:
            _ruling(rng, sheet, size * rng.uniform(1.1, 2.0), base)
        elif way < 0.3:
            m = size * rng.uniform(0.1, 0.5)
            sheet.draw.rectangle(
                (x - m, base - size - m, x + wide + m, base + m), outline=255, width=int(rng.integers(1, 4))
            )
        sheet.put(item, x, base, size, float(rng.normal(0, 0.03)) if rng.random() < 0.5 else 0.0)
    return sheet


def cells(rng: Rng, pieces: Pieces, sheet: Sheet) -> Sheet:
    """A grid of squares with one digit each, as in puzzles and forms."""
    size, side = sheet.size, sheet.side
    pitch_x = size * rng.uniform(1.2, 2.6)
    pitch_y = pitch_x * rng.uniform(0.85, 1.2) if rng.random() < 0.8 else size * rng.uniform(1.3, 2.6)
    x0, y0 = rng.uniform(-pitch_x, pitch_x), rng.uniform(-pitch_y, pitch_y)
    filled, ruled = rng.uniform(0.2, 1.0), rng.random() < 0.85
    thick = int(rng.integers(1, 3))
    some = [_pick(rng, pieces.digits) for _ in range(12)]
    for row in range(int((side - y0) / pitch_y) + 1):
        y = y0 + row * pitch_y
        if ruled:
            sheet.draw.line((x0, y, side + 5, y), fill=255, width=thick * (2 if row % 3 == 0 and filled < 0.7 else 1))
        for column in range(int((side - x0) / pitch_x) + 1):
            x = x0 + column * pitch_x
            if ruled and row == 0:
                sheet.draw.line(
                    (x, y0, x, side + 5), fill=255, width=thick * (2 if column % 3 == 0 and filled < 0.7 else 1)
                )
            if rng.random() < filled:
                item = _pick(rng, some)
                own = size * float(np.exp(rng.normal(0, 0.07)))
                wide = item.ink.shape[1] * own / (item.base - item.top)
                left = x + (pitch_x - wide) / 2 + rng.normal(0, 0.08) * size
                if wide < pitch_x:
                    sheet.put(item, left, y + (pitch_y + own) / 2 + rng.normal(0, 0.08) * size, own)
    return sheet


def table(rng: Rng, pieces: Pieces, sheet: Sheet) -> Sheet:
    """Columns of numbers and words, with or without rules."""
    size, side = sheet.size, sheet.side
    pitch = size * rng.uniform(1.4, 3.2)
    edges = [float(rng.uniform(-60, 20))]
    while edges[-1] < side:
        edges.append(edges[-1] + size * rng.uniform(2.5, 9))
    horizontal, vertical = rng.random() < 0.6, rng.random() < 0.6
    thick = int(rng.integers(1, 3))
    wordy = [rng.random() < 0.3 for _ in edges]
    right = rng.random() < 0.4
    y = float(rng.uniform(-pitch, pitch))
    header = rng.random() < 0.3
    while y < side:
        if horizontal:
            sheet.draw.line((-5, y, side + 5, y), fill=255, width=thick)
        for index, (left, end) in enumerate(itertools.pairwise(edges)):
            item = _pick(rng, pieces.words if header or wordy[index] else pieces.numbers)
            own = size * float(np.exp(rng.normal(0, 0.05)))
            wide = item.ink.shape[1] * own / (item.base - item.top)
            room = end - left - wide - 0.3 * size
            if room > 0 and rng.random() < 0.85:
                x = left + 0.15 * size + (room if right else rng.uniform(0, min(room, size)))
                sheet.put(item, x, y + (pitch + own) / 2 + rng.normal(0, 0.05) * size, own)
        header = False
        y += pitch
    if vertical:
        for x in edges:
            sheet.draw.line((x, -5, x, side + 5), fill=255, width=thick)
    return sheet


def rows(rng: Rng, pieces: Pieces, sheet: Sheet, numbers: float) -> Sheet:
    """Rows of numbers and words, as on a list, a form or a page of text."""
    size, side = sheet.size, sheet.side
    pitch = size * (rng.uniform(1.35, 2.2) if rng.random() < 0.6 else rng.uniform(1.8, 4.5))
    left, width = rng.uniform(-40, side * 0.5), side * (rng.uniform(0.3, 1.2) if rng.random() < 0.6 else 2.0)
    apart = rng.uniform(0.35, 0.6) if numbers < 0.5 else rng.uniform(1.3, 4)
    slope = float(rng.normal(0, 0.03)) if rng.random() < 0.4 else 0.0
    y = float(rng.uniform(0, 2 * pitch))
    if rng.random() < 0.3:
        _ruling(rng, sheet, pitch, y)
    one_kind = rng.random() < 0.4
    words = [_pick(rng, pieces.words) for _ in range(3)] if one_kind else pieces.words
    many = [_pick(rng, pieces.numbers) for _ in range(3)] if one_kind else pieces.numbers
    while y < side + size:
        x = left + rng.uniform(0, 0.5) * size
        end = min(side, left + width)
        while x < end:
            number = rng.random() < numbers
            own = size * float(np.exp(rng.normal(0, 0.04)))
            item = _pick(rng, many if number else words)
            x = sheet.put(item, x, y, own, slope) + size * (max(apart, 1.3) if number else apart) * rng.uniform(
                0.9, 1.2
            )
            if rng.random() < 0.1:
                break
        y += pitch * (1.0 if rng.random() < 0.9 else 2.0)
    return sheet


def junk(rng: Rng, pieces: Pieces, sheet: Sheet) -> Sheet:
    """No numbers: rules, shapes and scribbles, now and then with words."""
    side, draw = sheet.side, sheet.draw
    for _ in range(int(rng.integers(0, 25))):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), float(np.exp(rng.uniform(1, 4.5)))
        wide, way = int(rng.integers(1, 5)), rng.random()
        a, b = x + r * rng.uniform(0.2, 2), y + r * rng.uniform(0.2, 2)
        if way < 0.35:
            draw.line((x, y, x + rng.normal(0, r * 2), y + rng.normal(0, r * 2)), fill=255, width=wide)
        elif way < 0.55:
            draw.ellipse(
                (x, y, a, b), outline=255, width=wide, fill=int(rng.integers(0, 255)) if rng.random() < 0.3 else None
            )
        elif way < 0.75:
            draw.rectangle(
                (x, y, a, b), outline=255, width=wide, fill=int(rng.integers(0, 255)) if rng.random() < 0.4 else None
            )
        else:
            points = np.cumsum(rng.normal(0, r / 2, (int(rng.integers(3, 14)), 2)), 0) + np.array((x, y))
            draw.line([tuple(point) for point in points.tolist()], fill=255, width=wide, joint="curve")
    if rng.random() < 0.4:
        _ruling(rng, sheet, sheet.size * rng.uniform(0.6, 3), 0.0)
    for _ in range(int(rng.integers(0, 5))):
        sheet.put(
            _pick(rng, pieces.words), rng.uniform(-40, side), rng.uniform(0, side), sheet.size, rng.normal(0, 0.1)
        )
    return sheet


def scrawl(rng: Rng, sheet: Sheet) -> None:
    """Draw a few loops or dashes between the writing."""
    for _ in range(int(rng.integers(1, 4))):
        at = rng.uniform(0, sheet.side, 2)
        points = np.cumsum(rng.normal(0, sheet.size * rng.uniform(0.2, 1.2), (int(rng.integers(2, 12)), 2)), 0) + at
        # Nothing over the numbers: they would be crossed out.
        rows, columns = np.clip(points.T[::-1].astype(int), 0, sheet.side - 1)
        if not sheet.classes[rows, columns].any():
            sheet.draw.line([tuple(p) for p in points.tolist()], fill=255, width=int(rng.integers(1, 4)), joint="curve")


def _ruling(rng: Rng, sheet: Sheet, pitch: float, y: float) -> None:
    """Rule the sheet: lines, or squares."""
    side = sheet.side
    below = rng.uniform(0, 0.25) * sheet.size
    for k in range(-int(y / pitch) - 1, int((side - y) / pitch) + 2):
        sheet.draw.line((-5, y + below + k * pitch, side + 5, y + below + k * pitch), fill=255, width=1)
    if rng.random() < 0.35:
        step = pitch * rng.choice([0.5, 1.0])
        for k in range(int(side / step) + 1):
            sheet.draw.line((k * step, -5, k * step, side + 5), fill=255, width=1)


def wheels(rng: Rng, sheet: Sheet, grey: photo.Grey, stored: Library) -> None:
    """Put the digits of a meter on the sheet, over whatever is there."""
    size = float(rng.uniform(8, 30))
    high = round(size * 1.45)
    picture, _ = displays.wheels(stored, rng, high)
    if picture.shape[1] >= sheet.side or high >= sheet.side:
        return
    wide = picture.shape[1]
    x, y = int(rng.integers(0, sheet.side - wide)), int(rng.integers(0, sheet.side - high))
    frame = int(rng.integers(0, 6))
    around = np.s_[max(y - frame, 0) : y + high + frame, max(x - frame, 0) : x + wide + frame]
    if frame:
        grey[around] = rng.uniform(0, 255)
    grey[y : y + high, x : x + wide] = picture
    clear = np.s_[max(y - high // 3, 0) : y + high + high // 3, max(x - high // 3, 0) : x + wide + high // 3]
    # What it covers in part is neither there nor not there.
    sheet.classes[clear][sheet.classes[clear] > 0] = 255
    sheet.classes[y : y + high, x : x + wide] = NOTHING
    core = np.s_[
        y + round(0.35 * high) : y + round(0.65 * high), x + round(0.05 * high) : x + wide - round(0.05 * high)
    ]
    sheet.classes[core] = LEVEL
    sheet.heights[core] = height_code(size)


def _pick(rng: Rng, items: list[Item]) -> Item:
    return items[int(rng.integers(len(items)))]
