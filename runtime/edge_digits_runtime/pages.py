"""All digits of a picture of a number, of several lines, or of a whole ruled page, in reading order."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge_digits_runtime._digit import cut
from edge_digits_runtime._frame import frame
from edge_digits_runtime._glyphs import Glyph, find_glyphs
from edge_digits_runtime._ink import Ink, best_mix, find_ink, to_gray, to_plain
from edge_digits_runtime._rows import rows, wide_gaps
from edge_digits_runtime._touching import readings
from edge_digits_runtime.picture import in_file, reduced_by

SHORTER = 1500
"""The shorter side in pixels that a large JPEG of a page should keep: ``open_picture(path, pages.SHORTER)``."""
_LONGEST = 3600
"""A longer side than this, that of A4 at 300 dots an inch, is reduced."""
_STROKE = 0.1
"""On a page of digits a stroke is narrower than this share of the longer side."""
_COARSE = 192
"""Longer side in pixels of the small copy that the paper of a page is estimated on."""
_CONFIDENT = 0.9
"""Answers below this confidence are drawn in another colour."""
_SURE, _UNSURE = (0, 130, 60), (215, 70, 0)


class Answers(Protocol):
    """What a classifier says of ``n`` pictures."""

    @property
    def digits(self) -> NDArray[np.uint8]:
        """Shape ``(n,)``, each 0-9."""

    @property
    def confidences(self) -> NDArray[np.float32]:
        """Shape ``(n,)``, each in [0, 1]."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Shape ``(n, 10)``."""


class Classifier(Protocol):
    """What reads single digits, such as `edge_digits_runtime.DigitClassifier`."""

    def classify_batch(self, images: NDArray[np.uint8]) -> Answers:
        """Read pictures of shape ``(n, 28, 28)``, 0 background, 255 ink."""


@dataclass(frozen=True)
class PageDigit:
    """One digit of a page."""

    digit: int
    """0-9."""
    confidence: float
    """In [0, 1]."""
    box: tuple[int, int, int, int]
    """``(x, y, width, height)`` in pixels of the file that the picture was opened from."""
    line: int
    """Which of the lines it is on, from 0 at the top."""


@dataclass(frozen=True)
class Page:
    """What was read."""

    lines: tuple[str, ...]
    """The digits of each line from top to bottom, with a space between two numbers."""
    digits: tuple[PageDigit, ...]
    """In reading order."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: ``lines``, and ``digits`` with ``digit, confidence, box, line``."""
        return {
            "lines": list(self.lines),
            "digits": [
                {"digit": d.digit, "confidence": round(d.confidence, 5), "box": list(d.box), "line": d.line}
                for d in self.digits
            ],
        }


def read(image: Image.Image, classifier: Classifier) -> Page:
    """Find and read all digits of a picture.

    Args:
        image: any mode and size, upright to within a few degrees. It is not changed.
        classifier: what reads single digits.
    """
    plain = to_plain(image)
    factor = -(-max(plain.size) // _LONGEST)
    reduced = plain.reduce(factor) if factor > 1 else plain
    ink = find_ink(to_gray(reduced, best_mix(reduced)), stroke=_STROKE, coarse_side=_COARSE)
    glyphs, height = find_glyphs(ink)
    if not glyphs:
        return Page((), ())
    glyphs, digits, confidences = _answers(ink, glyphs, height, classifier)
    boxes = np.array([glyph.box for glyph in glyphs])
    lines = rows(boxes, height)
    texts = [
        "".join(" " * wide + str(digits[k]) for k, wide in zip(line, spaces, strict=True))
        for line, spaces in zip(lines, wide_gaps(boxes, lines, height), strict=True)
    ]
    found = [
        PageDigit(int(digits[k]), float(confidences[k]), in_file(image, _times(glyphs[k].box, factor, plain.size)), row)
        for row, line in enumerate(lines)
        for k in line
    ]
    return Page(tuple(texts), tuple(found))


def _times(box: tuple[int, int, int, int], factor: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (edge * factor for edge in box)
    return left, top, min(right, size[0]), min(bottom, size[1])


def _answers(
    ink: Ink, glyphs: list[Glyph], height: float, classifier: Classifier
) -> tuple[list[Glyph], NDArray[np.uint8], NDArray[np.float32]]:
    """The glyphs, joined and divided as the classifier is surest, with their digits and confidences."""
    options = readings(glyphs, height)
    parts = [part for choices in options for reading in choices for part in reading.glyphs]
    read = classifier.classify_batch(np.stack([frame(cut(ink.strength, part.mask, part.box)) for part in parts]))
    chosen: list[int] = []
    first = 0
    for choices in options:
        ways = []
        for reading in choices:
            last = first + len(reading.glyphs)
            score, members = reading.best(read.confidences[first:last], height)
            ways.append((score, [first + k for k in members]))
            first = last
        chosen += max(ways)[1]
    return [parts[k] for k in chosen], read.digits[chosen], read.confidences[chosen]


def annotate(image: Image.Image, page: Page) -> Image.Image:
    """The picture in colours with a box around each digit and the answer above it.

    Args:
        image: the one that was read; it is not changed.
        page: what was read in it.
    """
    drawn = to_plain(image).convert("RGB")
    draw = ImageDraw.Draw(drawn)
    factor = reduced_by(image)
    for digit in page.digits:
        x, y, width, height = (length / factor for length in digit.box)
        colour = _SURE if digit.confidence >= _CONFIDENT else _UNSURE
        line = max(1, round(height / 30))
        draw.rectangle((x - line, y - line, x + width + line, y + height + line), outline=colour, width=line)
        size = max(10, round(0.45 * height))
        draw.text((x, y - 1.2 * size - line), str(digit.digit), fill=colour, font=ImageFont.load_default(size))
    return drawn
