"""All digits of a picture of a number, of several lines, or of a whole ruled page, in reading order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.image.arrays import Box
from edge_digits_runtime.image.digit import cut
from edge_digits_runtime.image.frame import frame
from edge_digits_runtime.image.ink import Ink, best_mix, find_ink, to_gray, to_plain
from edge_digits_runtime.image.picture import in_file
from edge_digits_runtime.mnist_format import SIDE
from edge_digits_runtime.model.classifier import NO_DIGIT, DigitClassifier, Prediction
from edge_digits_runtime.page.glyphs import Glyph, find_glyphs
from edge_digits_runtime.page.limits import check_candidates
from edge_digits_runtime.page.rows import numbers, rows
from edge_digits_runtime.page.signs import like_slash
from edge_digits_runtime.page.touching import CLEAREST, clusters, joined, segmentations

SHORTER_SIDE = 1500
"""The shorter side in pixels that a large JPEG of a page should keep: ``open_picture(path, pages.SHORTER_SIDE)``."""
_LONGEST = 3600
"""A longer side than this, that of A4 at 300 dots an inch, is reduced."""
_STROKE = 0.1
"""On a page of digits a stroke is narrower than this share of the longer side."""
_COARSE = 192
"""Longer side in pixels of the small copy that the paper of a page is estimated on."""
SLASH = "may be a slash"
NO_DIGIT_MARK = "?"
"""Stands in a number for what looks like no digit, or like a slash."""


@dataclass(frozen=True)
class PageDigit:
    """One digit of a page, or what may be one."""

    digit: int
    """0-9."""
    confidence: float
    """In [0, 1]."""
    box: tuple[int, int, int, int]
    """``(x, y, width, height)`` in pixels of the file that the picture was opened from."""
    line: int | None
    """Which of the lines it is on, from 0 at the top; None for what looks like no digit and is in no number."""
    reason: str | None
    """Why the answer is not sure, as `Prediction` has it, or `SLASH`; None if it is."""

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the answer."""
        return self.reason is None

    @property
    def text(self) -> str:
        """What stands for it in a line: the digit, or ``?`` for what looks like none."""
        return NO_DIGIT_MARK if self.reason in (NO_DIGIT, SLASH) else str(self.digit)


@dataclass(frozen=True)
class Page:
    """What was read."""

    lines: tuple[str, ...]
    """The digits of each line from top to bottom, with a space between two numbers and a ``?`` in a number for what
    looks like no digit. A number of nothing else is left out, and so is a line."""
    digits: tuple[PageDigit, ...]
    """In reading order, with what was left out of the lines."""

    @property
    def sure(self) -> bool:
        """Whether there is a line, and nothing speaks against any digit of a line."""
        return bool(self.lines) and all(digit.sure for digit in self.digits if digit.line is not None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: ``lines``, and ``digits`` with ``digit, confidence, sure, reason, box, line``."""
        return {
            "lines": list(self.lines),
            "digits": [
                {
                    "digit": d.digit,
                    "confidence": round(d.confidence, 5),
                    "sure": d.sure,
                    "reason": d.reason,
                    "box": list(d.box),
                    "line": d.line,
                }
                for d in self.digits
            ],
        }


def read(image: Image.Image, classifier: DigitClassifier) -> Page:
    """Find and read all digits of a picture.

    Args:
        image: any mode and size, upright to within a few degrees. It is not changed.
        classifier: what reads single digits.

    Raises:
        PictureError: more ink than `edge_digits_runtime.page.limits` allows, as on dotted or hatched paper or a page of
            print.
        UsageError: its classes are not the ten digits, or it takes whole pictures where digits are to be found.
    """
    _check_reads_digits(classifier)
    plain = to_plain(image)
    factor = -(-max(plain.size) // _LONGEST)
    reduced = plain.reduce(factor) if factor > 1 else plain
    ink = find_ink(to_gray(reduced, best_mix(reduced)), stroke=_STROKE, coarse_side=_COARSE)
    glyphs, height = find_glyphs(ink)
    if not glyphs:
        return Page((), ())
    glyphs, answers = _answers(ink, glyphs, height, classifier)
    boxes = np.array([glyph.box for glyph in glyphs])
    texts: list[str] = []
    found: list[PageDigit] = []
    for line in numbers(boxes, rows(boxes, height), height):
        words: list[str] = []
        for number in line:
            digits = [
                PageDigit(
                    answers[k].digit,
                    answers[k].confidence,
                    in_file(image, _times(glyphs[k].box, factor, plain.size)),
                    None,
                    reason,
                )
                for k, reason in zip(number, _reasons(number, glyphs, answers, height), strict=True)
            ]
            word = "".join(digit.text for digit in digits)
            if word.strip(NO_DIGIT_MARK):
                words.append(word)
                digits = [replace(digit, line=len(texts)) for digit in digits]
            found += digits
        if words:
            texts.append(" ".join(words))
    return Page(tuple(texts), tuple(found))


def _check_reads_digits(classifier: DigitClassifier) -> None:
    if classifier.labels != DIGIT_CLASSES:
        names = ", ".join(classifier.labels[:5]) + ", ..." * (len(classifier.labels) > 5)
        raise UsageError(
            f"{classifier.name}: its classes are {names}; only a model of the digits 0 to 9 can read lines"
        )
    if classifier.input.kind != "ink":
        raise UsageError(
            f"{classifier.name}: takes whole pictures (input {classifier.input.kind}); "
            "only a model of input ink can read the digits that are found in a picture"
        )


def _reasons(number: list[int], glyphs: list[Glyph], answers: list[Prediction], height: float) -> list[str | None]:
    """Why each digit of a number is not sure; None if it is."""
    reasons = [answers[k].reason for k in number]
    for place, (before, k, behind) in enumerate(zip(number, number[1:], number[2:], strict=False), 1):
        # What is left and right of it tells a slash from a 1, which is as tall as they are.
        if answers[k].digit == 1 and like_slash(glyphs[k], glyphs[before].box, glyphs[behind].box, height):
            reasons[place] = SLASH
    return reasons


def _times(box: Box, factor: int, size: tuple[int, int]) -> Box:
    left, top, right, bottom = (edge * factor for edge in box)
    return left, top, min(right, size[0]), min(bottom, size[1])


def _answers(
    ink: Ink, glyphs: list[Glyph], height: float, classifier: DigitClassifier
) -> tuple[list[Glyph], list[Prediction]]:
    """The glyphs, joined and divided as the classifier is surest, and what it says of each."""
    groups = clusters(glyphs, height)
    # Most digits of a page are one piece of ink that is plain to see: only the others are cut and read in all ways.
    single = [group[0] for group in groups if len(group) == 1]
    pixels, confidences = _looked_at(ink, [(glyph,) for glyph in single], classifier)
    plain = confidences >= CLEAREST
    chosen = list(compress(single, plain))
    answers: list[Prediction] = list(map(classifier.classify, pixels[plain]))

    unclear = [group for group in groups if len(group) > 1] + [[glyph] for glyph in compress(single, ~plain)]
    count = area = 0
    for group in unclear:
        options = segmentations(group, height)
        parts = [part for option in options for part in option.candidates]
        count, area = count + len(parts), area + sum(option.area for option in options)
        check_candidates(count, area)
        pixels, confidences = _looked_at(ink, parts, classifier)
        first = 0
        ways = []
        for option in options:
            last = first + len(option.candidates)
            score, members = option.best(confidences[first:last])
            ways.append((score, [first + k for k in members]))
            first = last
        for k in max(ways)[1]:
            chosen.append(joined(parts[k]))
            # One by one, as only that says why an answer is not sure.
            answers.append(classifier.classify(pixels[k]))
    return chosen, answers


def _looked_at(
    ink: Ink, candidates: Sequence[Sequence[Glyph]], classifier: DigitClassifier
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """What the classifier is shown of each candidate, shape ``(n, 28, 28)``, and how confident it is."""
    whole = map(joined, candidates)
    frames = [frame(cut(ink.strength, glyph.mask, glyph.box)) for glyph in whole]
    pixels = np.array(frames, np.uint8).reshape(len(frames), SIDE, SIDE)
    return pixels, classifier.classify_batch(pixels).confidences
