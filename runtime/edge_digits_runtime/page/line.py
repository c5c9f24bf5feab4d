"""A picture of one line of numbers: from its pixels to its text.

`LineReader` runs a line network on the pixels that `edge_digits_runtime.image.line` makes, and decodes what it gives:
for each step along the line, a logit for each character and one, the last, for "nothing new here" (the blank of CTC,
connectionist temporal classification).
"""

import dataclasses
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_digits_runtime.data.classes import MOST
from edge_digits_runtime.errors import ModelError, PictureError
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.line import HEIGHT, WIDTH, Gray, line_pixels, line_width
from edge_digits_runtime.image.model_input import LINE_SHAPE
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.model import backends, registry
from edge_digits_runtime.model.card import ModelCard
from edge_digits_runtime.model.network import Network
from edge_digits_runtime.page.decoding import REJECT, Decoded, decode, decode_within, probability
from edge_digits_runtime.page.formats import Format

LONGEST_LINE = 1_056
"""Columns of the longest line that is read without being squeezed: 33 times as wide as it is high."""
STEP = 3
"""Columns of the input for each step of the reading."""
EMPTY, NO_NUMBER = "nothing written", "something that is not part of a number"
_BETWEEN = 12
"""Columns of ground between two lines that are read at once."""
_SEEN = 36
"""Columns to each side that a step of the reading may depend on."""
_MOST_OUTPUTS = WIDTH * (MOST + 1)


@dataclass(frozen=True)
class Character:
    """One character of a line."""

    text: str
    confidence: float
    """Probability in [0, 1] at the step that is surest of it."""
    box: tuple[int, int, int, int]
    """``(x, y, width, height)`` in pixels of the picture. It is as high as the line. Left and right it is good to about
    a quarter of the height of a digit: the network says where a character is, not how wide."""


@dataclass(frozen=True)
class Line:
    """What is written in a line."""

    text: str
    """As written, with signs and single spaces; `REJECT` stands for what is not part of a number."""
    confidence: float
    """Probability of the text in [0, 1], calibrated."""
    reason: str | None
    """Why the text is not sure; None if it is."""
    characters: tuple[Character, ...]
    """One for each character of the text, spaces included."""

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the text."""
        return self.reason is None


@dataclass(frozen=True)
class Look:
    """What was read in a line that was looked at more than once."""

    line: Line
    """Boxes are those in the picture number ``index``."""
    index: int
    """First of the pictures that shows this text, from 0."""
    texts: tuple[str, ...]
    """What was read in each picture."""


@dataclass(frozen=True)
class Readings:
    """What is written in ``n`` lines."""

    labels: NDArray[np.str_]
    """The texts, shape ``(n,)``."""
    confidences: NDArray[np.float32]
    """Calibrated probability of each text in [0, 1], shape ``(n,)``."""
    sure: NDArray[np.bool_]
    """True where nothing speaks against the text, shape ``(n,)``."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The confidences as shape ``(n, 1)``: of all texts that a line may have, only that of one is known."""
        return self.confidences[:, None]


class LineReader:
    """Reads pictures of single lines of numbers with one ``.tflite``; for one thread at a time.

    Attributes:
        model: the file taken apart.
        card: what the model file says of itself.
        name: what messages call the model.
        backend: the package that runs it.
        network: the model without its tensors.
        threads: how many cores a call may use.
        labels: the characters in the order of the outputs, the blank left out.
        input: how a picture becomes pixels.
        min_confidence: a line below this confidence is not sure, in [0, 1].
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes | None = None,
        *,
        backend: str | None = None,
        threads: int = 1,
        min_confidence: float | None = None,
        allow_unverified: bool = False,
        require_signature: str | os.PathLike[str] | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: a file, the name of an installed model, or the content of a file; None for the one that ships with
                the runtime.
            backend: ``litert`` or ``tflite-runtime``; None for ``EDGE_DIGITS_BACKEND``, else what is installed.
            threads: how many cores one reading may use, at least 1.
            min_confidence: in place of the one in the card.
            allow_unverified: as of `edge_digits_runtime.model.classifier.DigitClassifier`.
            require_signature: the same.

        Raises:
            ModelError: missing, damaged, or not a model of lines.
            ChecksumError: the model does not match its card.
            SignatureError: the model is not signed with the key that is required.
            BackendError: no interpreter is installed, or not the one asked for.
            UsageError: no model of that name is installed.
        """
        chosen = registry.LINE_MODEL if model is None else model
        self.name, self.model = registry.load(chosen, allow_unverified, require_signature)
        self.card = _line_card(self.model.card, self.name)
        self.labels, self.input = self.card.labels, self.card.input
        self.min_confidence = self.card.min_confidence if min_confidence is None else min_confidence
        self.backend, self.threads = backends.choose(backend), threads
        self.network = Network(self.model, self.name, self.backend, threads, LINE_SHAPE, _MOST_OUTPUTS)
        out = self.network.output
        if len(out.shape) != 3 or out.shape[::2] != (1, len(self.labels) + 1):
            raise ModelError(
                f"{self.name}: the output is {out}; a line model of {len(self.labels)} labels gives "
                f"1×steps×{len(self.labels) + 1}"
            )
        # Input and output are the interpreter's own memory: threads take turns.
        self._turn = threading.Lock()

    def read(self, image: Image.Image | Gray | str | os.PathLike[str] | bytes, expect: Format | None = None) -> Line:
        """Read the line in a picture.

        Args:
            image: an image, a file or its content, or a grey array of shape ``(height, width)``. It shows one line and
                little else, level to a few degrees, light or dark.
            expect: the format that its text has; None for any text.

        Raises:
            PictureError: it cannot be read, or an array of another shape or type.
        """
        return self.read_all([_gray(image)], expect)[0]

    def read_all(self, pictures: Sequence[Gray], expect: Format | None = None) -> list[Line]:
        """Read the lines in grey pictures, as `read` does. Several short lines take the time of one."""
        return [
            self._line(logits, picture, expect)
            for picture, logits in zip(pictures, self._all_logits(pictures), strict=True)
        ]

    def read_looks(self, looks: Sequence[Sequence[Gray]], expect: Format | None = None) -> list[Look]:
        """Read lines, each of which is shown in several pictures, with more or less room around it.

        The text is the one that is likeliest on the mean of its pictures, and the confidence that mean. With two
        pictures that leave 0.22 and 0.62 of the height of a digit above and below, 79.6 % of 1,110 made lines were read
        right, 77.7 % with the first alone; and with thresholds that leave 2 % of them sure and wrong, 78 % of the right
        ones were sure, 61 % where both pictures had to agree and the first was sure.

        Args:
            looks: grey pictures of each line, as many of each.
            expect: as in `read`.
        """
        logits = self._all_logits([picture for pictures in looks for picture in pictures])
        return [self._look(pictures, [next(logits) for _ in pictures], expect) for pictures in looks]

    def _look(self, pictures: Sequence[Gray], logits: list[NDArray[np.float32]], expect: Format | None) -> Look:
        decoded = [self._decode(each, expect) for each in logits]
        # Where a text fits what is expected, those that do not are out.
        fitting = [each for each in decoded if expect is None or expect.matches(each.text)] or decoded

        def mean(text: str) -> float:
            return sum(
                own.confidence if own.text == text else self._probability(each, text)
                for own, each in zip(decoded, logits, strict=True)
            ) / len(logits)

        means = {each.text: mean(each.text) for each in fitting}
        text = max(means, key=means.__getitem__)
        index = next(k for k, each in enumerate(decoded) if each.text == text)
        best = dataclasses.replace(decoded[index], confidence=means[text])
        line = Line(text, best.confidence, self._reason(best, expect), _characters(best, pictures[index]))
        return Look(line, index, tuple(each.text for each in decoded))

    def _probability(self, logits: NDArray[np.float32], text: str) -> float:
        return probability(logits, text, self.labels, self.card.temperature)

    def _line(self, logits: NDArray[np.float32], picture: Gray, expect: Format | None) -> Line:
        """Decode the logits of one line; boxes of characters are those in ``picture``."""
        decoded = self._decode(logits, expect)
        return Line(decoded.text, decoded.confidence, self._reason(decoded, expect), _characters(decoded, picture))

    def _decode(self, logits: NDArray[np.float32], expect: Format | None) -> Decoded:
        """Decode to the likeliest text; if that does not fit what is expected, to the likeliest that does, if any."""
        decoded = decode(logits, self.labels, self.card.temperature)
        if expect is None or expect.matches(decoded.text):
            return decoded
        return decode_within(logits, self.labels, expect, self.card.temperature) or decoded

    def _all_logits(self, pictures: Sequence[Gray]) -> Iterator[NDArray[np.float32]]:
        """Give the logits of each picture, for the steps that it takes."""
        prepared = [line_pixels(picture, LONGEST_LINE) for picture in pictures]
        steps = [-(-pixels.shape[1] // STEP) for pixels, _ in prepared]
        waiting: list[int] = []
        for index in range(len(prepared) + 1):
            wide = sum(steps[k] * STEP + _BETWEEN for k in waiting)
            if waiting and (index == len(prepared) or wide + prepared[index][0].shape[1] > WIDTH):
                yield from self._side_by_side([prepared[k] for k in waiting], [steps[k] for k in waiting])
                waiting = []
            if index == len(prepared):
                return
            if prepared[index][0].shape[1] > WIDTH:
                yield self._wide(*prepared[index])
            else:
                waiting.append(index)

    def _side_by_side(self, prepared: list[tuple[Gray, int]], steps: list[int]) -> Iterator[NDArray[np.float32]]:
        """Read lines that have room in one input."""
        canvas = np.full((HEIGHT, WIDTH), prepared[-1][1], np.uint8)
        starts = []
        x = 0
        for (pixels, ground), count in zip(prepared, steps, strict=True):
            canvas[:, x : x + count * STEP + _BETWEEN] = ground
            canvas[:, x : x + pixels.shape[1]] = pixels
            starts.append(x // STEP)
            x += count * STEP + _BETWEEN
        logits = self.logits(canvas)
        # What is written at the very end of a line may be said a step or two behind it.
        behind = _BETWEEN // STEP // 2
        for start, count in zip(starts, steps, strict=True):
            yield logits[start : start + count + behind]

    def _wide(self, pixels: Gray, ground: int) -> NDArray[np.float32]:
        """Read a line that is wider than the input in pieces, whose steps do not depend on where they were cut."""
        stride = WIDTH - 2 * _SEEN
        wide = pixels.shape[1]
        count = -(-(wide - 2 * _SEEN) // stride)
        canvas = np.full((HEIGHT, count * stride + 2 * _SEEN), ground, np.uint8)
        canvas[:, :wide] = pixels
        parts = []
        for number in range(count):
            logits = self.logits(canvas[:, number * stride : number * stride + WIDTH])
            first = _SEEN // STEP if number else 0
            last = len(logits) if number == count - 1 else (WIDTH - _SEEN) // STEP
            parts.append(logits[first:last])
        return np.concatenate(parts)

    def logits(self, pixels: Gray) -> NDArray[np.float32]:
        """Return what the network gives for pixels of `prepare_line`: shape ``(steps, len(labels) + 1)``."""
        with self._turn:
            return self._real(self.network.lane.run(pixels))

    def classify(self, picture: Gray | str | os.PathLike[str]) -> Line:
        """Read the line in a picture file, or in pixels of `prepare_line`: what an evaluation times."""
        if isinstance(picture, np.ndarray):
            return self.read_output(self.network.lane.run(picture), picture)
        return self.read(picture)

    def read_output(self, output: NDArray[Any], pixels: Gray) -> Line:
        """Return what the output of the network for pixels of `prepare_line` says; the last step of `classify`."""
        return self._line(self._real(output), pixels, None)

    def classify_batch(self, pictures: NDArray[np.uint8]) -> "Readings":
        """Read many lines.

        Args:
            pictures: pixels of `prepare_line`, shape ``(n, 32, 264)``.
        """
        with self._turn:
            outputs = self.network.many(pictures)
        lines = [
            self._line(self._real(output), picture, None) for output, picture in zip(outputs, pictures, strict=True)
        ]
        confidences = np.array([line.confidence for line in lines], np.float32)
        return Readings(
            np.array([line.text for line in lines], np.str_),
            confidences,
            np.array([line.sure for line in lines], np.bool_),
        )

    def _real(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return logits as numbers, in an array of their own: shape ``(steps, len(labels) + 1)``."""
        out = self.network.output
        values: NDArray[np.float32] = output.reshape(out.shape[1:]).astype(np.float32)
        if out.scale:
            values = (values - np.float32(out.zero_point)) * np.float32(out.scale)
        return values

    def _reason(self, decoded: Decoded, expect: Format | None) -> str | None:
        if expect is not None and not expect.matches(decoded.text):
            return f"does not fit {expect.text}"
        if REJECT in decoded.text:
            return NO_NUMBER
        # So that NaN, which compares false, is not sure.
        if not decoded.confidence >= self.min_confidence:
            return f"confidence {decoded.confidence:.0%}, sure from {self.min_confidence:.0%}"
        return None if decoded.text else EMPTY


def _line_card(card: ModelCard | None, name: str) -> ModelCard:
    if card is None or card.input.kind != "line":
        kind = "has no card" if card is None else f"takes input of kind {card.input.kind}"
        raise ModelError(f"{name}: {kind}; reading a line needs a model whose card says line, such as line-m")
    return card


def _gray(image: Image.Image | Gray | str | os.PathLike[str] | bytes) -> Gray:
    if isinstance(image, np.ndarray):
        if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
            raise PictureError(
                f"line: got {image.dtype} array of shape {image.shape}; allowed is uint8 of shape (height, width)"
            )
        return image
    opened = image if isinstance(image, Image.Image) else open_picture(image)
    return np.asarray(to_plain(opened).convert("L"))


def _characters(decoded: Decoded, gray: Gray) -> tuple[Character, ...]:
    """Return the characters with their boxes: halfway to their neighbours, at most half the height to each side."""
    height, width = gray.shape
    scale = width / line_width(gray, LONGEST_LINE) * STEP
    middles = [min((start + end) / 2 * scale, width) for start, end, _ in decoded.steps]
    result = []
    for index, (text, middle) in enumerate(zip(decoded.text, middles, strict=True)):
        left = (middles[index - 1] + middle) / 2 if index else 0.0
        right = (middles[index + 1] + middle) / 2 if index + 1 < len(middles) else float(width)
        x0 = min(max(round(max(left, middle - height / 2)), 0), width - 1)
        x1 = min(max(round(min(right, middle + height / 2)), x0 + 1), width)
        result.append(Character(text, decoded.steps[index][2], (x0, 0, x1 - x0, height)))
    return tuple(result)
