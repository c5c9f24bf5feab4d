"""Pictures in, class and confidence out."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

import edge_digits_runtime
from edge_digits_runtime.data import turns
from edge_digits_runtime.data.classes import DIGIT_CLASSES, are_digits
from edge_digits_runtime.errors import ModelError, PictureError, UsageError
from edge_digits_runtime.image.model_input import INK, NO_CONTRAST, NO_INK, Input
from edge_digits_runtime.model import backends, registry
from edge_digits_runtime.model.network import Network
from edge_digits_runtime.model.scores import make_scorer
from edge_digits_runtime.versions import release

if TYPE_CHECKING:
    from PIL import Image

    from edge_digits_runtime.image.model_input import Prepared

MIN_CONFIDENCE = 0.5
"""Answers of a model without a card are not sure below this confidence."""
NO_DIGIT = "looks like no digit"
NO_CLASS = "looks like none of the classes"
_ONE_OF_TWO = 2 / 3
"""If the two likeliest classes together have less than this share of the probability, the picture may be neither."""
_BYTE = np.dtype(np.uint8)


class Prediction(NamedTuple):
    """The answer of a model for one picture.

    A named tuple, made in a third of the time of a frozen dataclass, that divides by the sum when probabilities are
    asked for: with a small network on a fast processor, either would take a tenth of the whole call.
    """

    class_index: int
    """The answer, as an index into ``labels``."""
    confidence: float
    """Probability of the answer in [0, 1], calibrated with the temperature of the card; of a turn, see `value`, the
    probability that it is right within two tenths."""
    scores: Sequence[float]
    """A number for each class in proportion to its probability, at least 0."""
    reason: str | None = None
    """Why the answer is not sure, such as ``could be a 3 or an 8 (52 % / 44 %)``; None if it is."""
    labels: tuple[str, ...] = DIGIT_CLASSES
    """Names of the classes."""

    @property
    def label(self) -> str:
        """The answer: the name of a class, such as ``7`` or ``blank``; of a turn the digit that is nearest to it."""
        return self.labels[self.class_index] if self.value is None else str(self.digit)

    @property
    def value(self) -> float | None:
        """How far a wheel has turned in [0, 9.9], 3.4 on the way from 3 to 4; None if the answer is no turn.

        See `edge_digits_runtime.data.turns`.
        """
        return self.class_index / 10 if self.class_index < turns.COUNT and turns.are_turns(self.labels) else None

    @property
    def digit(self) -> int:
        """The answer as a number, 0-9.

        Raises:
            UsageError: the classes are no digits, or the answer is none, such as ``blank``.
        """
        if self.labels is DIGIT_CLASSES:
            return self.class_index
        if self.value is not None:
            return turns.digit_of(self.class_index)
        if turns.are_turns(self.labels):
            raise UsageError(f"the answer is {self.label}, which is no digit: ask for its label")
        if not are_digits(self.labels):
            raise UsageError(f"the answer is {self.label}, of a model whose classes are no digits: ask for its label")
        return int(self.label)

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Calibrated probabilities of all classes, each in [0, 1], together 1."""
        total = sum(self.scores) or 1.0
        return tuple([score / total for score in self.scores])

    @property
    def shares(self) -> dict[str, float]:
        """Calibrated probability of each label in [0, 1], together 1: of a digit, that of all turns nearest to it."""
        if not turns.are_turns(self.labels):
            return dict(zip(self.labels, self.probabilities, strict=True))
        summed = turns.shown_shares(np.array([self.probabilities]), self.labels)[0]
        return dict(zip(turns.shown(self.labels), summed.tolist(), strict=True))

    @property
    def sure(self) -> bool:
        """True if nothing speaks against the answer."""
        return self.reason is None


@dataclass(frozen=True)
class Predictions:
    """The answers of a model for ``n`` pictures."""

    labels: NDArray[np.uint8]
    """The answers, shape ``(n,)``, each an index into the labels of the classifier: of digits, the digit."""
    confidences: NDArray[np.float32]
    """Calibrated probability of each answer in [0, 1], shape ``(n,)``."""
    scores: NDArray[np.float32]
    """Numbers in proportion to the probabilities, shape ``(n, k)``, each at least 0."""
    sure: NDArray[np.bool_]
    """True where nothing speaks against the answer, shape ``(n,)``."""

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated probabilities of all k classes, shape ``(n, k)``, each in [0, 1], each row together 1."""
        shares: NDArray[np.float32] = self.scores / _positive(self.scores.sum(axis=1, keepdims=True))
        return shares


class DigitClassifier:
    """Says which digit, or which other class, a picture shows, with one ``.tflite``.

    Threads may share one; they wait for each other, since there is one interpreter.

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
        labels: names of the classes in the order of the outputs; without a card, ``0``, ``1``, ``2`` and so on.
        input: how a picture becomes pixels; without a card, ``ink`` for 28 × 28 pixels and ``crop`` for others.
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
        require_signature: str | os.PathLike[str] | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: a file, the name of an installed model (see `edge_digits_runtime.model.registry.find`), or the
                content of a file; None for the model that ships with the runtime.
            backend: ``litert`` or ``tflite-runtime``; None for ``EDGE_DIGITS_BACKEND``, else what is installed.
            threads: how many cores a call may use, at least 1. `classify` uses them within the invocation, which only
                large networks gain from; `classify_batch` uses them for invocations side by side.
            allow_unverified: run a model although its bytes do not match the sha256 in its card, or although it has
                operators that cannot be checked; such a model is run in a process of its own first.
            min_confidence: answers below this confidence are not sure, in [0, 1]; None for what the card says.
            require_signature: path of the public key that the model must be signed with; None if it need not be.

        Raises:
            ModelError: missing, damaged, or not a classifier of small pictures; the message says what was got.
            ChecksumError: the model does not match its card.
            SignatureError: the model is not signed with that key.
            BackendError: no interpreter is installed, or not the one asked for.
            UsageError: no model of that name, fewer than one thread, or a confidence outside [0, 1].
        """
        if threads < 1:
            raise UsageError(f"threads: got {threads}; allowed is 1 or more")
        if min_confidence is not None and not 0 <= min_confidence <= 1:
            raise UsageError(f"min_confidence: got {min_confidence}; allowed is 0 to 1")
        self.name, self.model = registry.load(model, allow_unverified, require_signature)
        card = self.model.card
        if card is not None and card.input.kind == "line":
            raise ModelError(f"{self.name}: reads lines; here a model of single digits is needed, such as digits-m")
        if card is not None and release(card.runtime) > release(edge_digits_runtime.__version__):
            from edge_digits_runtime.installation import how_to_renew

            raise ModelError(
                f"{self.name}: needs edge-digits-runtime {card.runtime} or newer, here is "
                f"{edge_digits_runtime.__version__}: {how_to_renew()}"
            )
        default = MIN_CONFIDENCE if card is None else card.min_confidence
        self.min_confidence = default if min_confidence is None else min_confidence
        self.backend, self.threads = backends.choose(backend), threads
        shape = None if card is None else card.input.shape
        self.network = Network(self.model, self.name, self.backend, threads, shape)
        self.labels, self.input = _labels_and_input(self.network) if card is None else (card.labels, card.input)
        if self.labels == DIGIT_CLASSES:
            # The very tuple: `Prediction.digit` then knows it at a glance.
            self.labels = DIGIT_CLASSES
        if len(self.labels) != self.network.classes:
            raise ModelError(
                f"{self.name}: {self.network.classes} outputs, but {len(self.labels)} labels in its card: "
                "convert it again"
            )
        # Input and output are the interpreter's own memory: without this, threads got each other's answers.
        self._turn = threading.Lock()
        self._shape = self.network.shape
        self._turns = turns.are_turns(self.labels)
        self._nothing = NO_INK if self.input.kind == "ink" else NO_CONTRAST
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
        """Say which class one picture is of.

        Args:
            picture: an image, or a file or its content, which become pixels as the input of the model asks for (see
                `edge_digits_runtime.image.prepare`); or these pixels, a uint8 array of the shape of the input, of
                digits ``(28, 28)``, 0 background, 255 ink.

        Raises:
            PictureError: it cannot be read; or an array of another shape or type.
        """
        if isinstance(picture, np.ndarray):
            if picture.shape != self._shape or picture.dtype != _BYTE:
                raise self._wrong_pixels(picture)
            with self._turn:
                return self.read_output(self.network.lane.run(picture), picture)
        # Imported here: pixels need no Pillow.
        from PIL import Image

        from edge_digits_runtime.image.picture import open_picture
        from edge_digits_runtime.image.prepare import prepare

        if isinstance(picture, Image.Image):
            return self.classify_prepared(prepare(picture, self.input))
        if not isinstance(picture, str | os.PathLike | bytes) and not hasattr(picture, "read"):
            raise PictureError(
                f"picture: got {type(picture).__name__}; "
                "allowed is a path, the content of a file, an open file, an image of Pillow or a uint8 array"
            )
        return self.classify_prepared(prepare(open_picture(picture), self.input))

    def classify_prepared(self, prepared: "Prepared") -> Prediction:
        """Say which class a prepared picture is of; the answer is not sure where the pixels were doubtful."""
        prediction = self.classify(prepared.pixels)
        return prediction if prepared.reason is None else prediction._replace(reason=prepared.reason)

    def classify_batch(self, pictures: NDArray[np.uint8]) -> Predictions:
        """Say which class each of many pictures is of.

        Args:
            pictures: a uint8 array of shape ``(n, height, width)``, pixels as `classify` takes them; n may be 0.

        Raises:
            PictureError: an array of another shape or type.

        Example:
            >>> import numpy as np
            >>> from edge_digits_runtime import DigitClassifier
            >>> pictures = np.zeros((2, 28, 28), np.uint8)
            >>> pictures[0, 5:23, 13:16] = 255  # An upright stroke of ink; the other picture stays blank.
            >>> predictions = DigitClassifier().classify_batch(pictures)
            >>> predictions.labels[0].item(), predictions.sure.tolist(), predictions.probabilities.shape
            (1, [True, False], (2, 10))
        """
        outputs = self.outputs(pictures)
        # A row of memory for each class: along columns numpy takes all pictures at once, ten times as fast.
        columns = np.ascontiguousarray(outputs.T)
        scores = self._scorer.many(columns, columns.max(axis=0))
        answers = outputs.argmax(axis=1)
        # Of equal outputs the first one, as argmax has it, so that a turn is summed around the one that is answered.
        best: NDArray[np.float32] = turns.confidence_scores(scores, answers) if self._turns else scores.max(axis=0)
        confidences = best / _positive(scores.sum(axis=0))
        # A NaN compares false, and is not sure.
        sure = confidences >= self.min_confidence
        # Looking for ink in all pictures would take a tenth of the network's time. Only a picture with the output of a
        # blank one can be blank, and comparing one number rules out most.
        suspects = np.flatnonzero(columns[0] == self._blank[0])
        suspects = suspects[(outputs[suspects] == self._blank).all(axis=1)]
        sure[suspects] &= pictures[suspects].any(axis=(1, 2))
        return Predictions(answers.astype(np.uint8), confidences, scores.T, sure)

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the outputs of the network itself: shape ``(n, k)``, in the type of the model's output.

        Args:
            pictures: as in `classify_batch`.

        Raises:
            PictureError: an array of another shape or type.
        """
        if (
            not isinstance(pictures, np.ndarray)
            or pictures.ndim != 3
            or pictures.shape[1:] != self._shape
            or pictures.dtype != _BYTE
        ):
            raise self._wrong_pixels(pictures, "n, ")
        with self._turn:
            return self.network.many(pictures)

    def read_output(self, output: NDArray[Any], pixels: NDArray[np.uint8]) -> Prediction:
        """Return what the output of the network for the picture ``pixels`` says; the last step of `classify`."""
        content = output.tobytes()
        scores = self._scorer.one(content)
        largest = max(scores)
        index = scores.index(largest)
        confidence = (turns.confidence_score(scores, index) if self._turns else largest) / (sum(scores) or 1.0)
        # As in `classify_batch`, the comparison that costs least comes first.
        if content == self._blank_bytes and not pixels.any():
            return Prediction(index, confidence, scores, self._nothing, self.labels)
        # Written so that NaN, which compares false, is not sure.
        if not confidence >= self.min_confidence:
            return Prediction(index, confidence, scores, self._doubt(confidence, scores), self.labels)
        return Prediction(index, confidence, scores, None, self.labels)

    def _doubt(self, confidence: float, scores: Sequence[float]) -> str:
        """Say why an answer is not sure: name the two likeliest labels, unless it may be neither."""
        if not self._turns:
            return _doubt(scores, self.labels)
        # The likeliest digit may be beyond doubt, and only its tenth not be known.
        summed = turns.shown_shares(np.array([scores]), self.labels)[0].tolist()
        if max(summed) >= self.min_confidence * sum(summed) > 0:
            return f"confidence {100 * confidence:.0f} % for a turn within 0.{turns.REACH}"
        return _doubt(summed, turns.shown(self.labels))

    def _probe(self) -> NDArray[Any]:
        """Return the outputs for four pictures that are unlike each other, a blank one first; shape ``(4, k)``."""
        height, width = self.network.shape
        ramp = np.arange(height * width).reshape(height, width)
        patterns = (ramp * 0, ramp * 0 + 255, ramp, ramp * 37)
        answers = np.stack([self.network.one((p % 256).astype(np.uint8)).reshape(-1) for p in patterns])
        if not np.isfinite(answers).all():
            raise ModelError(f"{self.name}: answers with NaN or infinity: train or convert it again")
        return answers

    def _wrong_pixels(self, got: object, before: str = "") -> PictureError:
        what = f"{got.dtype} array of shape {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
        height, width = self.network.shape
        meaning = ", 0 background, 255 ink" if self.input.kind == "ink" else ""
        return PictureError(
            f"pixels: got {what}; allowed is a uint8 array of shape ({before}{height}, {width}){meaning}"
        )


def _labels_and_input(network: Network) -> tuple[tuple[str, ...], Input]:
    """Return what is assumed of a model without a card."""
    labels = tuple(map(str, range(network.classes)))
    return labels, INK if network.shape == INK.shape else Input("crop", *network.shape)


def _doubt(scores: Sequence[float], labels: tuple[str, ...]) -> str:
    """Name the two likeliest classes, unless the others are so likely that the picture may be neither."""
    likeliest = sorted(range(len(labels)), key=lambda index: -scores[index])[:2]
    # Neither NaN nor nothing but 0, to which a foreign softmax may be rounded, names two.
    if not sum(scores[index] for index in likeliest) >= _ONE_OF_TWO * sum(scores) > 0:
        return NO_DIGIT if are_digits(labels) else NO_CLASS
    names = [_with_article(labels[index]) for index in likeliest]
    shares = [f"{scores[index] / sum(scores) * 100:.0f} %" for index in likeliest]
    return f"could be {' or '.join(names)} ({' / '.join(shares)})"


def _with_article(label: str) -> str:
    return label if label not in DIGIT_CLASSES else f"an {label}" if label == "8" else f"a {label}"


def _positive(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sums to divide by: a foreign softmax may be rounded to nothing but 0."""
    return np.maximum(sums, np.finfo(np.float32).tiny)
