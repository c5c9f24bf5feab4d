"""Pictures in, digit and confidence out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

import edge_digits_runtime
from edge_digits_runtime.errors import ModelError, PictureError, UsageError
from edge_digits_runtime.mnist_format import DIGITS, SIDE
from edge_digits_runtime.model import backends
from edge_digits_runtime.model.card import parse_model_file, read_model_file
from edge_digits_runtime.model.network import Network
from edge_digits_runtime.model.registry import DEFAULT_MODEL, find
from edge_digits_runtime.model.scores import decoder

if TYPE_CHECKING:
    from PIL import Image

    from edge_digits_runtime.image.model_input import Prepared

MIN_CONFIDENCE = 0.5
"""Below this an answer of a model without a card is not sure."""
NO_INK = "no ink found"
NO_DIGIT = "looks like no digit"
_ONE_OF_TWO = 2 / 3
"""Where the two likeliest digits have less of the probability together, the picture may as well be none."""
_DIGITS = np.arange(DIGITS, dtype=np.uint8)[:, None]
_SHAPE, _BYTE = (SIDE, SIDE), np.dtype(np.uint8)


class Prediction(NamedTuple):
    """What a model says of one picture.

    A named tuple, made in a third of the time of a frozen dataclass, that divides by the sum when probabilities are
    asked for: with a small network on a fast processor, either would be a tenth of the whole call.
    """

    digit: int
    """The answer, 0-9."""
    confidence: float
    """Probability of the answer in [0, 1], calibrated with the temperature of the card."""
    scores: Sequence[float]
    """Ten numbers in proportion to the probabilities, each at least 0."""
    reason: str | None = None
    """Why the answer is not sure, such as ``could be a 3 or an 8 (52 % / 44 %)``; None if it is."""

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Calibrated probabilities of all ten digits, each in [0, 1], together 1."""
        total = sum(self.scores) or 1.0
        return tuple([score / total for score in self.scores])

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the answer."""
        return self.reason is None


# What the constructor of a named tuple does, without the Python function around it.
_new_prediction = tuple.__new__


@dataclass(frozen=True)
class Predictions:
    """What a model says of ``n`` pictures."""

    digits: NDArray[np.uint8]
    """The answers, shape ``(n,)``."""
    confidences: NDArray[np.float32]
    """Calibrated probability of each answer in [0, 1], shape ``(n,)``."""
    scores: NDArray[np.float32]
    """Numbers in proportion to the probabilities, shape ``(n, 10)``, each at least 0."""
    sure: NDArray[np.bool_]
    """Whether nothing speaks against the answer, shape ``(n,)``."""

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated probabilities of all ten digits, shape ``(n, 10)``, each in [0, 1], each row together 1."""
        shares: NDArray[np.float32] = self.scores / _positive(self.scores.sum(axis=1, keepdims=True))
        return shares


class DigitClassifier:
    """Says which digit is in a picture, with one ``.tflite``; for one thread at a time.

    Input and output of the model may be float32, int8 or uint8; scale and zero point are read from the file. A float
    input gets pixel / 255. Logits go through softmax, what is a probability already does not (see `decoding.decoder`).

    Attributes:
        model: the file taken apart, with its card if it has one.
        name: what messages call it.
        backend: which package runs it.
        network: the model behind its tensors.
        threads: how many cores a call may use.
        min_confidence: answers below this are not sure, in [0, 1].
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes | None = None,
        *,
        backend: str | None = None,
        threads: int = 1,
        allow_unverified: bool = False,
        min_confidence: float | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: a file, the name of an installed model (see `installed.find`), or the content of a file; None for
                the model that ships with the runtime.
            backend: ``litert`` or ``tflite-runtime``; None for ``EDGE_DIGITS_BACKEND``, else what is installed.
            threads: how many cores a call may use, at least 1: `classify` within the invocation (worth it for large
                networks only), `classify_batch` for invocations side by side.
            allow_unverified: run a model although its bytes do not match the sha256 in its card.
            min_confidence: in place of the one in the card.

        Raises:
            ModelError: missing, damaged, or not a digit classifier; the message says what was got.
            ChecksumError: the model does not match its card.
            BackendError: no interpreter is installed, or not the one asked for.
            UsageError: fewer than one thread, or no model of that name.
        """
        if threads < 1:
            raise UsageError(f"threads: got {threads}; allowed is 1 or more")
        if isinstance(model, bytes):
            self.name = "the model"
            self.model = parse_model_file(model, self.name, allow_unverified)
        else:
            path = DEFAULT_MODEL if model is None else find(model)
            self.name = os.fspath(path)
            self.model = read_model_file(path, allow_unverified)
        card = self.model.card
        if card is not None and _release(card.runtime) > _release(edge_digits_runtime.__version__):
            raise ModelError(
                f"{self.name}: needs edge-digits-runtime {card.runtime} or newer, here is "
                f"{edge_digits_runtime.__version__}: pip install --upgrade edge-digits-runtime"
            )
        default = MIN_CONFIDENCE if card is None else card.min_confidence
        self.min_confidence = default if min_confidence is None else min_confidence
        self.backend, self.threads = backends.choose(backend), threads
        self.network = Network(self.model.content, self.name, self.backend, threads)
        # `Network.one` without a call in between.
        self._run = self.network.lane.run
        answers = self._probe()
        self._blank, self._blank_bytes = answers[0], answers[0].tobytes()
        self._decoder = decoder(self.network.output, answers, 1.0 if card is None else card.temperature)
        self._scores = self._decoder.one

    @property
    def output_scale(self) -> float:
        """What one step of a quantized output stands for; 0 where the output is float."""
        return self.network.output.scale

    def classify(
        self, picture: "Image.Image | NDArray[np.uint8] | str | os.PathLike[str] | bytes | BinaryIO"
    ) -> Prediction:
        """Say which digit is in one picture.

        Args:
            picture: an image, a file or its content, which go through `picture.digit_pixels`; or pixels that are
                ready, a uint8 array of shape ``(28, 28)``, 0 background, 255 ink.

        Raises:
            PictureError: it cannot be read; or an array of another shape or type.
        """
        if isinstance(picture, np.ndarray):
            if picture.shape != _SHAPE or picture.dtype != _BYTE:
                raise _wrong_pixels(picture, "(28, 28)")
            return self.read_output(self._run(picture), picture)
        # Whoever has pixels needs no Pillow.
        from PIL import Image

        from edge_digits_runtime.image.picture import digit_pixels, open_picture

        image = picture if isinstance(picture, Image.Image) else open_picture(picture)
        return self.classify_found(digit_pixels(image))

    def classify_found(self, found: "Prepared") -> Prediction:
        """Say which digit `picture.digit_pixels` found; not sure where that had its doubts."""
        prediction = self.classify(found.pixels)
        return prediction if found.reason is None else prediction._replace(reason=found.reason)

    def classify_batch(self, pictures: NDArray[np.uint8]) -> Predictions:
        """Say which digit is in each of many pictures.

        Args:
            pictures: a uint8 array of shape ``(n, 28, 28)``, 0 background, 255 ink; n may be 0.

        Raises:
            PictureError: an array of another shape or type.
        """
        outputs = self.outputs(pictures)
        # A row of memory for each digit: along columns numpy goes through all pictures at once, ten times as fast.
        columns = np.ascontiguousarray(outputs.T)
        largest = columns.max(axis=0)
        # The smallest digit whose value is the largest, as argmax has it: the others get the upper four bits. A NaN is
        # equal to nothing, not even itself, and ends as a 0 that is not sure.
        digits = ((columns != largest) * np.uint8(0xF0) | _DIGITS).min(axis=0) & np.uint8(0x0F)
        scores = self._decoder.many(columns, largest)
        confidences = scores.max(axis=0) / _positive(scores.sum(axis=0))
        sure = confidences >= self.min_confidence
        # To look for ink in all pictures would take a tenth of the network's time; only what is answered as a blank
        # picture can be one, and most are told apart by one number.
        suspects = np.flatnonzero(columns[0] == self._blank[0])
        suspects = suspects[(outputs[suspects] == self._blank).all(axis=1)]
        sure[suspects] &= pictures[suspects].any(axis=(1, 2))
        return Predictions(digits, confidences, scores.T, sure)

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """What the network itself gives for pictures as `classify_batch` takes them: shape ``(n, 10)``, its own type.

        Raises:
            PictureError: an array of another shape or type.
        """
        if (
            not isinstance(pictures, np.ndarray)
            or pictures.ndim != 3
            or pictures.shape[1:] != _SHAPE
            or pictures.dtype != _BYTE
        ):
            raise _wrong_pixels(pictures, "(n, 28, 28)")
        return self.network.many(pictures)

    def read_output(self, output: NDArray[Any], pixels: NDArray[np.uint8]) -> Prediction:
        """What the output of the network for the picture ``pixels`` says; the last step of `classify`."""
        answer = output.tobytes()
        scores = self._scores(answer)
        most = max(scores)
        confidence = most / (sum(scores) or 1.0)
        digit = scores.index(most)
        # As in `classify_batch`, what is cheap to compare comes first.
        if answer == self._blank_bytes and not pixels.any():
            return Prediction(digit, confidence, scores, NO_INK)
        # So that NaN, which compares false, is not sure.
        if not confidence >= self.min_confidence:
            return Prediction(digit, confidence, scores, _doubt(scores))
        return _new_prediction(Prediction, (digit, confidence, scores, None))

    def _probe(self) -> NDArray[Any]:
        """The outputs for four patterns that are unlike each other, a blank picture first; shape ``(4, 10)``."""
        ramp = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
        patterns = (ramp * 0, ramp * 0 + 255, ramp, ramp * 37)
        answers = np.stack([self.network.one((p % 256).astype(np.uint8)).reshape(DIGITS) for p in patterns])
        if not np.isfinite(answers).all():
            raise ModelError(f"{self.name}: answers with NaN or infinity: train or convert it again")
        return answers


def _doubt(scores: Sequence[float]) -> str:
    """Name the two likeliest digits, unless the others are too likely for it to be one of the two."""
    likeliest = sorted(range(DIGITS), key=lambda digit: -scores[digit])[:2]
    # Neither ten times 0, which a foreign softmax may be rounded to, nor NaN names two.
    if not sum(scores[digit] for digit in likeliest) >= _ONE_OF_TWO * sum(scores) > 0:
        return NO_DIGIT
    names = [f"an {digit}" if digit == 8 else f"a {digit}" for digit in likeliest]
    shares = [f"{scores[digit] / sum(scores) * 100:.0f} %" for digit in likeliest]
    return f"could be {' or '.join(names)} ({' / '.join(shares)})"


def _positive(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """What to divide by; a foreign softmax may have been rounded to ten times 0."""
    return np.maximum(sums, np.finfo(np.float32).tiny)


def _wrong_pixels(got: object, allowed: str) -> PictureError:
    what = f"{got.dtype} array of shape {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
    return PictureError(f"pixels: got {what}; allowed is a uint8 array of shape {allowed}, 0 background, 255 ink")


def _release(version: str) -> tuple[int, ...]:
    """``0.10.2`` as numbers; what is behind the numbers, as in ``0.2.dev1``, does not count."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
