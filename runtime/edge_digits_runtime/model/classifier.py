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
from edge_digits_runtime.mnist_format import DIGITS, SHAPE, SIDE
from edge_digits_runtime.model import backends
from edge_digits_runtime.model.card import parse_model_file, read_model_file
from edge_digits_runtime.model.network import Network
from edge_digits_runtime.model.registry import DEFAULT_MODEL, find
from edge_digits_runtime.model.scores import make_scorer
from edge_digits_runtime.versions import release

if TYPE_CHECKING:
    from PIL import Image

    from edge_digits_runtime.image.model_input import Prepared

MIN_CONFIDENCE = 0.5
"""Answers of a model without a card are not sure below this confidence."""
NO_INK = "no ink found"
NO_DIGIT = "looks like no digit"
_ONE_OF_TWO = 2 / 3
"""If the two likeliest digits together have less than this share of the probability, the picture may be no digit."""
_BYTE = np.dtype(np.uint8)


class Prediction(NamedTuple):
    """The answer of a model for one picture.

    A named tuple, made in a third of the time of a frozen dataclass, that divides by the sum when probabilities are
    asked for: with a small network on a fast processor, either would take a tenth of the whole call.
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
        """True if nothing speaks against the answer."""
        return self.reason is None


@dataclass(frozen=True)
class Predictions:
    """The answers of a model for ``n`` pictures."""

    digits: NDArray[np.uint8]
    """The answers, shape ``(n,)``, each 0-9."""
    confidences: NDArray[np.float32]
    """Calibrated probability of each answer in [0, 1], shape ``(n,)``."""
    scores: NDArray[np.float32]
    """Numbers in proportion to the probabilities, shape ``(n, 10)``, each at least 0."""
    sure: NDArray[np.bool_]
    """True where nothing speaks against the answer, shape ``(n,)``."""

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated probabilities of all ten digits, shape ``(n, 10)``, each in [0, 1], each row together 1."""
        shares: NDArray[np.float32] = self.scores / _positive(self.scores.sum(axis=1, keepdims=True))
        return shares


class DigitClassifier:
    """Says which digit is in a picture, with one ``.tflite``; for one thread at a time.

    Input and output of the model may be float32, int8 or uint8; scale and zero point are read from the file. A float
    input gets pixel / 255. Logits go through softmax; outputs that are probabilities already do not.

    Example:
        >>> import numpy as np
        >>> from edge_digits_runtime import DigitClassifier
        >>> pixels = np.zeros((28, 28), np.uint8)
        >>> pixels[5:23, 13:16] = 255  # An upright stroke of ink.
        >>> prediction = DigitClassifier().classify(pixels)
        >>> prediction.digit, prediction.sure, round(sum(prediction.probabilities), 6)
        (1, True, 1.0)

    Attributes:
        model: the file taken apart, with its card if it has one.
        name: what messages call the model.
        backend: the package that runs it.
        network: the model without its tensors.
        threads: how many cores a call may use.
        min_confidence: answers below this confidence are not sure, in [0, 1].
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
            model: a file, the name of an installed model (see `edge_digits_runtime.model.registry.find`), or the
                content of a file; None for the model that ships with the runtime.
            backend: ``litert`` or ``tflite-runtime``; None for ``EDGE_DIGITS_BACKEND``, else what is installed.
            threads: how many cores a call may use, at least 1. `classify` uses them within the invocation, which only
                large networks gain from; `classify_batch` uses them for invocations side by side.
            allow_unverified: run a model although its bytes do not match the sha256 in its card.
            min_confidence: answers below this confidence are not sure, in [0, 1]; None for what the card says.

        Raises:
            ModelError: missing, damaged, or not a digit classifier; the message says what was got.
            ChecksumError: the model does not match its card.
            BackendError: no interpreter is installed, or not the one asked for.
            UsageError: no model of that name, fewer than one thread, or a confidence outside [0, 1].
        """
        if threads < 1:
            raise UsageError(f"threads: got {threads}; allowed is 1 or more")
        if min_confidence is not None and not 0 <= min_confidence <= 1:
            raise UsageError(f"min_confidence: got {min_confidence}; allowed is 0 to 1")
        if isinstance(model, bytes):
            self.name = "the model"
            self.model = parse_model_file(model, self.name, allow_unverified)
        else:
            path = DEFAULT_MODEL if model is None else find(model)
            self.name = os.fspath(path)
            self.model = read_model_file(path, allow_unverified)
        card = self.model.card
        if card is not None and card.input.kind == "line":
            raise ModelError(f"{self.name}: reads lines; here a model of single digits is needed, such as digits-m")
        if card is not None and release(card.runtime) > release(edge_digits_runtime.__version__):
            raise ModelError(
                f"{self.name}: needs edge-digits-runtime {card.runtime} or newer, here is "
                f"{edge_digits_runtime.__version__}: pip install --upgrade edge-digits-runtime"
            )
        default = MIN_CONFIDENCE if card is None else card.min_confidence
        self.min_confidence = default if min_confidence is None else min_confidence
        self.backend, self.threads = backends.choose(backend), threads
        self.network = Network(self.model.content, self.name, self.backend, threads)
        probes = self._probe()
        self._blank, self._blank_bytes = probes[0], probes[0].tobytes()
        self._scorer = make_scorer(self.network.output, probes, 1.0 if card is None else card.temperature)

    @property
    def output_scale(self) -> float:
        """Value of one step of a quantized output; 0 where the output is float."""
        return self.network.output.scale

    def classify(
        self, picture: "Image.Image | NDArray[np.uint8] | str | os.PathLike[str] | bytes | BinaryIO"
    ) -> Prediction:
        """Say which digit is in one picture.

        Args:
            picture: an image, or a file or its content, in which the digit is looked for (see
                `edge_digits_runtime.image.picture.digit_pixels`); or pixels in the frame of MNIST, a uint8 array of
                shape ``(28, 28)``, 0 background, 255 ink.

        Raises:
            PictureError: it cannot be read; or an array of another shape or type.
        """
        if isinstance(picture, np.ndarray):
            if picture.shape != SHAPE or picture.dtype != _BYTE:
                raise _wrong_pixels(picture, "(28, 28)")
            return self.read_output(self.network.lane.run(picture), picture)
        # Imported here: pixels need no Pillow.
        from PIL import Image

        from edge_digits_runtime.image.picture import digit_pixels, open_picture

        if isinstance(picture, Image.Image):
            return self.classify_found(digit_pixels(picture))
        if not isinstance(picture, str | os.PathLike | bytes) and not hasattr(picture, "read"):
            raise PictureError(
                f"picture: got {type(picture).__name__}; "
                "allowed is a path, the content of a file, an open file, an image of Pillow or a uint8 array"
            )
        return self.classify_found(digit_pixels(open_picture(picture)))

    def classify_found(self, found: "Prepared") -> Prediction:
        """Say which digit `digit_pixels` found; the answer is not sure where the pixels were doubtful."""
        prediction = self.classify(found.pixels)
        return prediction if found.reason is None else prediction._replace(reason=found.reason)

    def classify_batch(self, pictures: NDArray[np.uint8]) -> Predictions:
        """Say which digit is in each of many pictures.

        Args:
            pictures: a uint8 array of shape ``(n, 28, 28)``, 0 background, 255 ink; n may be 0.

        Raises:
            PictureError: an array of another shape or type.

        Example:
            >>> import numpy as np
            >>> from edge_digits_runtime import DigitClassifier
            >>> pictures = np.zeros((2, 28, 28), np.uint8)
            >>> pictures[0, 5:23, 13:16] = 255  # An upright stroke of ink; the other picture stays blank.
            >>> predictions = DigitClassifier().classify_batch(pictures)
            >>> predictions.digits[0].item(), predictions.sure.tolist(), predictions.probabilities.shape
            (1, [True, False], (2, 10))
        """
        outputs = self.outputs(pictures)
        # A row of memory for each digit: along columns numpy takes all pictures at once, ten times as fast.
        columns = np.ascontiguousarray(outputs.T)
        scores = self._scorer.many(columns, columns.max(axis=0))
        confidences = scores.max(axis=0) / _positive(scores.sum(axis=0))
        # A NaN compares false, and is not sure.
        sure = confidences >= self.min_confidence
        # Looking for ink in all pictures would take a tenth of the network's time. Only a picture with the output of a
        # blank one can be blank, and comparing one number rules out most.
        suspects = np.flatnonzero(columns[0] == self._blank[0])
        suspects = suspects[(outputs[suspects] == self._blank).all(axis=1)]
        sure[suspects] &= pictures[suspects].any(axis=(1, 2))
        return Predictions(outputs.argmax(axis=1).astype(np.uint8), confidences, scores.T, sure)

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the outputs of the network itself: shape ``(n, 10)``, in the type of the model's output.

        Args:
            pictures: as in `classify_batch`.

        Raises:
            PictureError: an array of another shape or type.
        """
        if (
            not isinstance(pictures, np.ndarray)
            or pictures.ndim != 3
            or pictures.shape[1:] != SHAPE
            or pictures.dtype != _BYTE
        ):
            raise _wrong_pixels(pictures, "(n, 28, 28)")
        return self.network.many(pictures)

    def read_output(self, output: NDArray[Any], pixels: NDArray[np.uint8]) -> Prediction:
        """Return what the output of the network for the picture ``pixels`` says; the last step of `classify`."""
        content = output.tobytes()
        scores = self._scorer.one(content)
        largest = max(scores)
        confidence = largest / (sum(scores) or 1.0)
        digit = scores.index(largest)
        # As in `classify_batch`, the comparison that costs least comes first.
        if content == self._blank_bytes and not pixels.any():
            return Prediction(digit, confidence, scores, NO_INK)
        # Written so that NaN, which compares false, is not sure.
        if not confidence >= self.min_confidence:
            return Prediction(digit, confidence, scores, _doubt(scores))
        return Prediction(digit, confidence, scores)

    def _probe(self) -> NDArray[Any]:
        """Return the outputs for four pictures that are unlike each other, a blank one first; shape ``(4, 10)``."""
        ramp = np.arange(SIDE * SIDE).reshape(SHAPE)
        patterns = (ramp * 0, ramp * 0 + 255, ramp, ramp * 37)
        answers = np.stack([self.network.one((p % 256).astype(np.uint8)).reshape(DIGITS) for p in patterns])
        if not np.isfinite(answers).all():
            raise ModelError(f"{self.name}: answers with NaN or infinity: train or convert it again")
        return answers


def _doubt(scores: Sequence[float]) -> str:
    """Name the two likeliest digits, unless the others are so likely that the picture may be neither."""
    likeliest = sorted(range(DIGITS), key=lambda digit: -scores[digit])[:2]
    # Neither NaN nor ten times 0, to which a foreign softmax may be rounded, names two.
    if not sum(scores[digit] for digit in likeliest) >= _ONE_OF_TWO * sum(scores) > 0:
        return NO_DIGIT
    names = [f"an {digit}" if digit == 8 else f"a {digit}" for digit in likeliest]
    shares = [f"{scores[digit] / sum(scores) * 100:.0f} %" for digit in likeliest]
    return f"could be {' or '.join(names)} ({' / '.join(shares)})"


def _positive(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sums to divide by: a foreign softmax may be rounded to ten times 0."""
    return np.maximum(sums, np.finfo(np.float32).tiny)


def _wrong_pixels(got: object, allowed: str) -> PictureError:
    what = f"{got.dtype} array of shape {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
    return PictureError(f"pixels: got {what}; allowed is a uint8 array of shape {allowed}, 0 background, 255 ink")
