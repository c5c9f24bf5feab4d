"""A line written by hand: digits of one writer and one pen, and the signs between them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_train.lines import signs, stroke_fields
from edge_digits_train.lines.european_digits import Points, uniform
from edge_digits_train.lines.hand import Coarse, Hand
from edge_digits_train.lines.library import FACES, FACES_HELD_OUT, MNIST, MNIST_HELD_OUT, Library

Rng = np.random.Generator
Ink = NDArray[np.uint8]
_COLON = (0.18, 0.42), (0.7, 1.0)
"""Ranges of the heights of its two dots, in heights of a digit from the top."""


class Writer:
    """Draws the characters of one line.

    Attributes:
        ink: what was written, 255 is ink; it is empty from `x` on.
        x: column where the next character starts.
        boxes: first column, last column and text of each character, spaces left out.
    """

    def __init__(self, library: Library, manner: Hand, rng: Rng, longest: float) -> None:
        """Take an empty sheet that is ``longest`` pixels wide."""
        self._library, self._hand, self._rng = library, manner, rng
        self.top = round(manner.size * 0.75)
        """Row of the top of a digit."""
        self.base = self.top + round(manner.size)
        """Row of the baseline."""
        self.ink = np.zeros((self.base + round(manner.size * 0.75), round(longest)), np.uint8)
        self.x = manner.size * 0.6
        self.boxes: list[tuple[float, float, str]] = []
        self._known: dict[int, NDArray[np.intp]] = {}
        self._drift = rng.normal(0, 0.01) * manner.unsteady
        self._faint = 1.0

    def write(self, text: str) -> None:
        """Write ``text``.

        Raises:
            KeyError: a character is neither digit, letter nor sign of the library.
        """
        rng, hand = self._rng, self._hand
        fainter = rng.random() < 0.25
        for character in text:
            if character == " ":
                self.x += hand.size * (
                    (rng.uniform(0.4, 1.1) if rng.random() < 0.85 else rng.uniform(1, 4))
                    + max(hand.gap, 0) * 1.2
                    + hand.pitch * 0.8
                )
                continue
            start = self.x
            size = hand.size * float(np.exp(rng.normal(0, 0.05) * hand.unsteady))
            lift = hand.size * (rng.normal(0, 0.03) * hand.unsteady - self._drift * len(self.boxes))
            if character in ".,:":
                # A sign that a digit covers cannot be read.
                self.x += hand.size * rng.uniform(0.0, 0.07) + (hand.pen if hand.gap > 0.03 else 2 * hand.pen)
                self._faint = rng.uniform(0.45, 1.0) if fainter else 1.0
            if character.isdigit():
                self._digit(int(character), size, lift)
            elif character.isalpha() or (character in "€$£%()=×+#&!?" and rng.random() < 0.3):
                if not self._from_font(character, size, lift):
                    self._sign(character, size, lift)
            else:
                self._sign(character, size, lift)
            self._faint = 1.0
            self.boxes.append((start, self.x, character))
            # Counted from the middle of one stroke to that of the next: two half pens lie between.
            close = 0.5 if character in ".,:" else 1.0
            self.x += hand.size * (hand.gap * close + rng.normal(0, 0.03) * hand.unsteady)
            self.x += hand.pen * (1.7 if hand.gap > 0.03 else 0.6)
            if hand.pitch:
                self.x = max(self.x, start + hand.pitch * hand.size * (0.5 if character in ".,:" else 1.0))

    def _digit(self, digit: int, size: float, lift: float) -> None:
        rng, hand = self._rng, self._hand
        if digit not in self._known or hand.mixed:
            sources = hand.sources.get(digit, hand.sources[-1])
            pool = self._pool(sources[int(rng.integers(len(sources)))], digit)
            pick = pool[rng.integers(0, len(pool), 150)] if len(pool) > 150 else pool
            style = self._library.style[pick]
            near = ((style - style[int(rng.integers(len(pick)))]) ** 2).sum(1)
            self._known[digit] = pick[np.argpartition(near, min(3, len(pick) - 1))[:3]]
        options = self._known[digit]
        number = int(options[int(rng.integers(len(options)))])
        if digit == 0 and hand.small_zero < 1:
            lift += rng.uniform(-0.1, 0.25) * size * (1 - hand.small_zero)
            size *= hand.small_zero
        start = self.x
        self._field(number, size, lift, digit=True)
        if digit == 0 and hand.slashed_zero:
            end, self.x = self.x, start
            wide = (end - start) / size / hand.wide
            self.stroke(signs.slash_through(rng, wide), lift, size, advance=False)
            self.x = end

    def _pool(self, source: int, label: int) -> NDArray[np.intp]:
        own = MNIST_HELD_OUT if self._library.held_out else MNIST
        found = self._library.by_label.get((source, label))
        return self._library.by_label[own, label] if found is None else found

    def _from_font(self, character: str, size: float, lift: float) -> bool:
        """Write a letter or sign in the form of the writer's font; return False if there is none."""
        library = self._library
        label = library.faces.characters.find(character)
        pool = library.by_label.get((FACES_HELD_OUT if library.held_out else FACES, label))
        if label < 0 or pool is None:
            return False
        own = pool[library.groups[pool] == self._hand.face]
        number = int(own[0]) if len(own) else int(pool[int(self._rng.integers(len(pool)))])
        high = 1.0
        if character in "acemnorsuvwxz":
            high = 0.62
        elif character in "=×+":
            high = 0.5
            lift += 0.22 * size
        elif character in "gpqyj":
            lift -= 0.3 * size
        elif character in "()":
            high, lift = 1.25, lift - 0.1 * size
        self._field(number, size * high, lift)
        return True

    def _field(self, number: int, size: float, lift: float, digit: bool = False) -> None:
        """Write the character of a field: its left edge at ``x``, its foot ``lift`` pixels above the baseline."""
        rng, hand = self._rng, self._hand
        left, right, top, bottom = (int(v) for v in self._library.extents[number])
        unit = stroke_fields.TALL / size
        step_x = unit / (hand.wide * float(np.exp(rng.normal(0, 0.06) * hand.unsteady)))
        slant = hand.slant + rng.normal(0, 0.06) * hand.unsteady
        turn = rng.normal(0, 0.05) * hand.unsteady
        room = hand.pen + 2
        width = int((right - left + 1) / step_x + abs(slant) * size + 2 * room)
        high = int((bottom - top + 1) / unit + 2 * room)
        # From a pixel of the result to the field: the foot of the character is the fixed point of slant and turn.
        centre_x, centre_y = width / 2, high / 2
        a, b = step_x, step_x * (slant + turn)
        d, e = -unit * turn * 0.5, unit
        matrix = (
            a, b, (left + right + 1) / 2 - a * centre_x - b * centre_y,
            d, e, (top + bottom + 1) / 2 - d * centre_x - e * centre_y,
        )  # fmt: skip
        field = Image.fromarray(self._library.fields[number])
        away = np.asarray(
            field.transform((width, high), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=255)
        )
        # Distance in pixels of the result, by the mean of the two scales.
        scale = 2 / (step_x + unit) / stroke_fields.PER_UNIT
        if digit and hand.coarse:
            ink = self._inked(away * np.float32(scale), max(hand.coarse.pen * size, 0.7))
            factor = 1.0
            if hand.coarse.boxed:
                factor = hand.coarse.boxed * size * float(np.exp(rng.normal(0, 0.1))) * step_x / (right - left + 1)
            ink = _enlarged(ink, hand.coarse, size, factor)
            self._put(ink, self.x - room * factor, self.base - lift - high + room)
            self.x += (width - 2 * room) * factor
            return
        self._lay(away * np.float32(scale), self.x - room, self.base - lift - high + room)
        self.x += width - 2 * room - abs(slant) * size * 0.6

    def _lay(self, away: NDArray[np.float32], x: float, y: float, pen: float | None = None) -> None:
        """Put ink where the middle of the pen is near enough.

        Args:
            away: distance from the middle of the pen in pixels.
            x: column of its upper left corner.
            y: row of it.
            pen: half the width of the pen; None for that of the hand.
        """
        self._put(self._inked(away, self._hand.pen if pen is None else pen), x, y)

    def _inked(self, away: NDArray[np.float32], pen: float) -> Ink:
        """Return the ink of a pen whose middle is so far away."""
        hand, rng = self._hand, self._rng
        pen *= float(np.exp(rng.normal(0, 0.06)))
        drawn = np.clip((pen - away) / hand.soft + 0.5, 0, 1)
        strength = 255 * self._faint * (1 - hand.texture * 0.35 * rng.random())
        if hand.texture:
            start = int(rng.integers(0, self._library.noise.size - drawn.size))
            noise = self._library.noise[start : start + drawn.size].reshape(drawn.shape)
            drawn *= 1 - hand.texture * np.clip(0.3 + 0.35 * noise, 0, 1)
        inked: Ink = (drawn * strength).astype(np.uint8)
        return inked

    def _put(self, ink: Ink, x: float, y: float) -> None:
        """Put ink on the line: its upper left corner at column ``x`` and row ``y``."""
        column, row = round(x), round(y)
        high, wide = ink.shape
        y0, x0 = max(row, 0), max(column, 0)
        y1, x1 = min(row + high, self.ink.shape[0]), min(column + wide, self.ink.shape[1])
        if y1 > y0 and x1 > x0:
            place = self.ink[y0:y1, x0:x1]
            np.maximum(place, ink[y0 - row : y1 - row, x0 - column : x1 - column], out=place)

    def stroke(
        self,
        strokes: list[Points],
        lift: float = 0.0,
        size: float | None = None,
        pen: float | None = None,
        advance: bool = True,
    ) -> None:
        """Draw strokes, as `edge_digits_train.lines.signs` has them.

        Args:
            strokes: x counts from `x` on.
            lift: pixels above the baseline.
            size: height of a digit in pixels; None for that of the hand.
            pen: half the width of the pen in pixels; None for that of the hand.
            advance: whether `x` moves on by their width.
        """
        hand = self._hand
        size = hand.size if size is None else size
        scaled = []
        for points in strokes:
            p = np.asarray(points, float) * size
            # Slanted about the baseline.
            x = p[:, 0] * hand.wide + (size - p[:, 1]) * hand.slant * 0.7
            scaled.append(np.stack([x, p[:, 1] + hand.size - size - lift], 1))
        every = np.concatenate(scaled)
        reach = (hand.pen if pen is None else pen) * 1.3 + 2
        low, high = every.min(0) - reach, every.max(0) + reach
        wide, tall = int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1
        starts = np.concatenate([s[:-1] for s in scaled]) - low
        ends = np.concatenate([s[1:] for s in scaled]) - low
        y, x = (axis.reshape(-1, 1) for axis in np.mgrid[0:tall, 0:wide].astype(np.float32))
        near = stroke_fields.segment_distance(x, y, starts.astype(np.float32), ends.astype(np.float32))
        away = near.min(1).reshape(tall, wide)
        self._lay(away, self.x + low[0] - every[:, 0].min() if advance else self.x + low[0], self.top + low[1], pen)
        if advance:
            self.x += every[:, 0].max() - every[:, 0].min()

    def scribble(self, wide: float) -> None:
        """Scribble, ``wide`` heights of a digit wide."""
        self.stroke(signs.scribble(self._rng, wide))

    def cross_out(self, start: float, end: float) -> None:
        """Cross out what stands between two columns."""
        x, self.x = self.x, start
        self.stroke(signs.crossing_out(self._rng, (end - start) / self._hand.size / self._hand.wide), advance=False)
        self.x = x

    def _sign(self, character: str, size: float, lift: float) -> None:
        rng, hand = self._rng, self._hand
        pen = hand.pen / hand.size
        if character in ".:":
            # The network sees 32 rows: a dot of half a pixel there is the smallest that can be told from dirt.
            wide = max(hand.pen * uniform(rng, 0.8, 1.5), size * uniform(rng, 0.03, 0.045), 0.9)
            heights = [uniform(rng, 0.93, 1.02)] if character == "." else [uniform(rng, *r) for r in _COLON]
            self.stroke(signs.dots(rng, *heights), lift, size, wide)
            self.x += size * uniform(rng, 0, 0.07) + (0 if hand.gap > 0.03 else hand.pen)
        elif character == ",":
            strokes = signs.comma(rng, pen)
            self.x += size * uniform(rng, -0.04, 0.05)
            start = strokes[0][0]
            self.stroke(strokes, lift, size, max(hand.pen * uniform(rng, 0.75, 1.15), size * 0.022, 0.8))
            if rng.random() < 0.25:
                # The pen is pressed down first.
                x, self.x = self.x, self.x - start[0] * size * 0.5
                head = [signs.line((0, start[1]), (0.02, start[1] + 0.02))]
                self.stroke(head, lift, size, hand.pen * uniform(rng, 1.2, 1.7), advance=False)
                self.x = x
        elif character == "-":
            self.x += size * uniform(rng, 0, 0.08)
            self.stroke(signs.minus(rng), lift, size)
            self.x += size * uniform(rng, 0, 0.1)
        else:
            self.stroke(signs.sign(character, rng, pen), lift, size)


def _enlarged(ink: Ink, coarse: Coarse, size: float, factor: float) -> Ink:
    """Return the ink of a digit as a small picture shows it that was enlarged.

    Args:
        ink: of the digit.
        coarse: what the small picture is like.
        size: height of the digit in pixels.
        factor: by which it is stretched sideways.
    """
    high, wide = ink.shape
    step = max(size / coarse.rows, 1.0)
    small = Image.fromarray(ink).resize((max(2, round(wide / step)), max(2, round(high / step))), Image.Resampling.BOX)
    if coarse.hard is not None:
        strongest = max(int(ink.max()), 1)
        small = Image.fromarray(np.where(np.asarray(small) > coarse.hard * strongest, strongest, 0).astype(np.uint8))
    return np.asarray(small.resize((max(2, round(wide * factor)), high), Image.Resampling.BILINEAR))
