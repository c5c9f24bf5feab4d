"""All digits of a clean page of handwriting: its ink is cut into single digits by rules, and each is classified.

On such pages this is better than `edge_digits_runtime.page.reading`. On anything else it is worse, and it knows no
signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

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
from edge_digits_runtime.page import reading
from edge_digits_runtime.page.glyphs import Glyph, find_glyphs
from edge_digits_runtime.page.limits import check_candidates
from edge_digits_runtime.page.line import Character
from edge_digits_runtime.page.rows import numbers, rows
from edge_digits_runtime.page.signs import like_slash
from edge_digits_runtime.page.touching import CLEAREST, clusters, joined, segmentations

_LONGEST = 3600
"""Longest side of a page in pixels, that of A4 at 300 dots an inch; larger pages are reduced."""
_STROKE = 0.1
"""Widest stroke on a page, as a share of its longer side."""
_COARSE = 192
"""Longer side in pixels of the small copy that the paper of a page is estimated on."""
SLASH = "may be a slash"
"""Reason of a 1 that is not sure."""
NO_DIGIT_MARK = "?"
"""Character for a glyph in a number that looks like no digit, or like a slash."""


@dataclass(frozen=True)
class PageDigit:
    """A glyph on a page, with the digit that it looks most like."""

    digit: int
    """The likeliest digit, 0-9."""
    confidence: float
    """Calibrated probability of the digit, in [0, 1]."""
    box: tuple[int, int, int, int]
    """x, y, width and height in pixels of the file that the picture was opened from."""
    line: int | None
    """Number of its line, from 0 at the top; None for a glyph that looks like no digit and is in no number."""
    reason: str | None
    """Why the answer is not sure, as in `Prediction`, or `SLASH`; None if it is sure."""

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the answer."""
        return self.reason is None

    @property
    def text(self) -> str:
        """Its character in a line: the digit, or ``?`` if it looks like no digit or like a slash."""
        return NO_DIGIT_MARK if self.reason in (NO_DIGIT, SLASH) else str(self.digit)


@dataclass(frozen=True)
class Page:
    """The numbers on a page."""

    lines: tuple[str, ...]
    """The lines from top to bottom, with a space between two numbers and ``?`` for a glyph in a number that looks like
    no digit. Numbers and lines in which no glyph looks like a digit are left out. Empty if nothing was found."""
    digits: tuple[PageDigit, ...]
    """All glyphs in reading order, also those left out of the lines."""

    @property
    def sure(self) -> bool:
        """Whether there is a line, and nothing speaks against any digit of a line."""
        return bool(self.lines) and all(digit.sure for digit in self.digits if digit.line is not None)

    def as_numbers(self) -> reading.Page:
        """Return the page as `edge_digits_runtime.page.reading` describes pages, a line of it for each line."""
        found = []
        for row, text in enumerate(self.lines):
            digits = [digit for digit in self.digits if digit.line == row]
            x, y, width, height = np.array([digit.box for digit in digits]).T
            left, top = int(x.min()), int(y.min())
            found.append(
                reading.PageLine(
                    text,
                    min(digit.confidence for digit in digits),
                    next((digit.reason for digit in digits if digit.reason is not None), None),
                    (left, top, int((x + width).max()) - left, int((y + height).max()) - top),
                    row,
                    None,
                    tuple(Character(digit.text, digit.confidence, digit.box) for digit in digits),
                )
            )
        return reading.Page(tuple(found), 0)


def read(image: Image.Image, classifier: DigitClassifier) -> Page:
    """Find and read all digits of a picture.

    Args:
        image: any mode and size, upright to within a few degrees. It is not changed.
        classifier: reads single digits.

    Returns:
        The lines of digits; none if the page is blank.

    Raises:
        PictureError: the page has more ink than `edge_digits_runtime.page.limits` allows, as dotted or hatched paper
            and pages of print have.
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
                    in_file(image, _enlarged(glyphs[k].box, factor, plain.size)),
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
    """Return for each digit of a number why it is not sure; None if it is."""
    reasons = [answers[k].reason for k in number]
    for place, (before, k, behind) in enumerate(zip(number, number[1:], number[2:], strict=False), 1):
        # A 1 is as tall as its neighbours, a slash is taller.
        if answers[k].digit == 1 and like_slash(glyphs[k], glyphs[before].box, glyphs[behind].box, height):
            reasons[place] = SLASH
    return reasons


def _enlarged(box: Box, factor: int, size: tuple[int, int]) -> Box:
    """Return a box of a reduced page in pixels of the page itself.

    Args:
        box: left, top, right, bottom in pixels of the reduced page.
        factor: how many pixels of the page became one, along each side.
        size: width and height of the page.
    """
    left, top, right, bottom = (edge * factor for edge in box)
    return left, top, min(right, size[0]), min(bottom, size[1])


def _answers(
    ink: Ink, glyphs: list[Glyph], height: float, classifier: DigitClassifier
) -> tuple[list[Glyph], list[Prediction]]:
    """Join and divide the glyphs so that the classifier is surest; return them, and its answer for each."""
    groups = clusters(glyphs, height)
    # Most digits of a page are one piece of ink that is read with full confidence: only the others are cut in all ways.
    single = [group[0] for group in groups if len(group) == 1]
    pixels, confidences = _classified(ink, [(glyph,) for glyph in single], classifier)
    plain = confidences >= CLEAREST
    chosen = list(compress(single, plain))
    answers: list[Prediction] = list(map(classifier.classify, pixels[plain]))

    unclear = [group for group in groups if len(group) > 1] + [[glyph] for glyph in compress(single, ~plain)]
    count = area = 0
    for group in unclear:
        options = segmentations(group, height)
        candidates = [candidate for option in options for candidate in option.candidates]
        count, area = count + len(candidates), area + sum(option.area for option in options)
        check_candidates(count, area)
        pixels, confidences = _classified(ink, candidates, classifier)
        first = 0
        chains = []
        for option in options:
            last = first + len(option.candidates)
            score, members = option.best(confidences[first:last])
            chains.append((score, [first + k for k in members]))
            first = last
        _, best = max(chains)
        for k in best:
            chosen.append(joined(candidates[k]))
            # One by one, since `classify_batch` does not say why an answer is not sure.
            answers.append(classifier.classify(pixels[k]))
    return chosen, answers


def _classified(
    ink: Ink, candidates: Sequence[Sequence[Glyph]], classifier: DigitClassifier
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Classify each candidate.

    Returns:
        The pixels of each in the frame of MNIST, shape ``(n, 28, 28)``, and the confidence of the answer in [0, 1],
        shape ``(n,)``.
    """
    # Joined and framed one at a time: all of them together would fill the memory of a small device.
    frames = [frame(cut(ink.strength, glyph.mask, glyph.box)) for glyph in map(joined, candidates)]
    pixels = np.array(frames, np.uint8).reshape(len(frames), SIDE, SIDE)
    return pixels, classifier.classify_batch(pixels).confidences
