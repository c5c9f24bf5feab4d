"""The evaluation record: what a model answered to every picture of a data set, and what that cost on which device.

``edge-digits evaluate`` writes one for a ``.tflite``, training writes one for the Keras original, the report reads
nothing else. It keeps every answer, so that two of them can be compared picture by picture, and the pixels of the
pictures that were answered wrong: where two models differ at least one of them is wrong, so these are all that
a gallery of changed answers needs.
"""

import dataclasses
import gzip
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data import metrics, turns
from edge_digits_runtime.data.checks import LONGEST_TEXT
from edge_digits_runtime.data.classes import DIGIT_CLASSES, FEWEST, MOST
from edge_digits_runtime.data.line_metrics import score
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.image.model_input import INK, Input
from edge_digits_runtime.library_errors import GZIP, JSON, first_line
from edge_digits_runtime.records import fields, files, picture_column
from edge_digits_runtime.records.class_names import ClassNames
from edge_digits_runtime.records.device_facts import DeviceFacts
from edge_digits_runtime.records.fields import (
    Count,
    FieldError,
    Length,
    Line,
    Matching,
    Name,
    Numbers,
    NumbersOrTexts,
    Positive,
    Sha256,
    Share,
    Time,
)
from edge_digits_runtime.records.picture_column import PictureColumn
from edge_digits_runtime.records.timings import Extra, Latency, LatencyInFile, Part

FORMAT = "edge-digits-evaluation/3"
_LARGEST = 64 << 20
"""Bytes of an evaluation, unpacked; one of 10,000 pictures has 1 MB."""
Role = Literal["float-original", "float-tflite", "int8"]
ROLES: tuple[Role, ...] = get_args(Role)
# 128 probabilities of 5 decimals each sum up to one within 0.00064.
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class DataInfo:
    """The pictures that were answered."""

    name: Name
    """Such as ``MNIST`` or the name of the file given with ``--data``."""
    split: Literal["train", "validation", "test"]
    """Part of the data set."""
    sha256: Sha256
    """Hex digest of the image bytes and then the label bytes: equal digests are equal pictures in equal order."""


@dataclass(frozen=True)
class ModelInfo:
    """The model that answered."""

    name: Name
    """The recipe, such as ``cnn-32-64-64``."""
    role: Role
    """Its place in a comparison. Schemes that quantize weights alone (float16, dynamic) compute in float and count as
    ``float-tflite``."""
    scheme: Literal["keras", "float32", "float16", "dynamic", "int8"]
    """Number format of weights and activations; ``keras`` for the original."""
    bytes: Positive
    """Size of the model file in bytes, card and labels included."""
    sha256: Sha256
    """Hex digest of the flatbuffer, or of the weights of a Keras model."""
    weights_sha256: Annotated[str, Matching("([0-9a-f]{64})?", "64 hexadecimal digits, or none")] = ""
    """Hex digest of the Keras weights that this model descends from; pairs a converted model with its original. Empty
    where they are not known."""


@dataclass(frozen=True)
class Evaluation:
    """Answers, latency and device of one model on one data set."""

    model: ModelInfo
    data: DataInfo
    labels: NDArray[Any]
    """The true classes, shape ``(n,)``, n at least 1, uint8, each an index into ``classes``; of lines, the texts that
    are written in them."""
    probabilities: NDArray[np.float32]
    """Calibrated probabilities, shape ``(n, k)``, each in [0, 1]; the answer is the largest. Of lines, shape
    ``(n, 1)``: that of the text that was read."""
    latency: Mapping[str, Latency]
    """By `Part`, see `edge_digits_runtime.device.measurement.evaluate`: ``invoke`` always, the others where they were
    timed. Empty if only the accuracy was measured."""
    device: Mapping[str, Any]
    """Facts of the device, see `DeviceFacts`."""
    pictures: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    """Pixels of the pictures that were answered wrong, by index, uint8 of the shape of the model's input."""
    peak_memory_bytes: int | None = None
    """Largest resident set of the process in bytes; None where the system does not tell."""
    created: str = ""
    """UTC time, ISO 8601."""
    notes: tuple[str, ...] = ()
    """Warnings that belong beside the figures, such as a device that slowed down."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further measurements by name, see `Extra`; what that does not declare may be any JSON."""
    classes: tuple[str, ...] = DIGIT_CLASSES
    """Names of the k classes, in the order of the outputs; of lines, the characters that are told apart."""
    input: Input = INK
    """How the pictures became pixels."""
    texts: NDArray[np.str_] | None = None
    """What was read in each line, shape ``(n,)``; None where the answers are classes."""
    sure: NDArray[np.bool_] | None = None
    """Whether each answer was called sure, shape ``(n,)``; None where nobody says so, as of a Keras original."""

    @property
    def predicted(self) -> NDArray[Any]:
        """The answers, shape ``(n,)``, as ``labels``; of equal probabilities the first class, as argmax has it."""
        return self.probabilities.argmax(axis=1).astype(np.uint8) if self.texts is None else self.texts

    @property
    def of_lines(self) -> bool:
        """Whether the answers are texts of lines."""
        return self.texts is not None

    def names(self, answers: NDArray[Any]) -> list[str]:
        """Return ``labels`` or ``predicted`` as a person reads them: names of classes, or texts."""
        return answers.tolist() if self.of_lines else [self.classes[index] for index in answers.tolist()]

    @property
    def silently_wrong(self) -> float | None:
        """Share of the pictures whose answer is wrong and was called sure, in [0, 1]; None where ``sure`` is."""
        return None if self.sure is None else float(np.mean(self.sure & ~self.right))

    @property
    def character_error_rate(self) -> float | None:
        """Edit distance between what was read and what is written, for each character that is written; None of classes.

        May be above 1.
        """
        if not self.of_lines:
            return None
        return score(self.labels.tolist(), self.predicted.tolist(), [False] * len(self.labels)).character_error_rate

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are right, shape ``(n,)``; of a wheel, those within a tenth of the label."""
        return turns.right(self.labels, self.predicted, self.classes)

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]."""
        return float(self.right.mean())

    @property
    def shown(self) -> tuple[str, ...]:
        """Names of the s rows of ``confusion``: the classes; instead of turns of a wheel the digits nearest to them."""
        return turns.shown(self.classes)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """How often each of ``shown`` was answered as which, shape ``(s, s)``; row: the truth, column: the answer.

        Of lines, shape ``(0, 0)``.
        """
        if self.of_lines:
            return np.zeros((0, 0), np.int64)
        index = turns.shown_index(self.classes)
        return metrics.confusion_matrix(index[self.labels], index[self.predicted], len(self.shown))

    @property
    def confidences(self) -> NDArray[np.float64]:
        """Probability of each answer in [0, 1], shape ``(n,)``; of a turn, that it is right within two tenths."""
        probabilities = self.probabilities.astype(np.float64)
        best: NDArray[np.float64] = probabilities.max(axis=1)
        if turns.are_turns(self.classes):
            best = turns.confidence_scores(probabilities.T, self.predicted)
        return best.clip(max=1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready values. Probabilities are kept to 5 decimals."""
        return {
            "format": FORMAT,
            "created": self.created,
            "model": dataclasses.asdict(self.model),
            "data": dataclasses.asdict(self.data) | {"count": len(self.labels)},
            "accuracy": round(self.accuracy, 6),
            "classes": list(self.classes),
            "input": dataclasses.asdict(self.input),
            "confusion": None if self.of_lines else self.confusion.tolist(),
            "silently_wrong": None if self.sure is None else round(self.silently_wrong or 0.0, 6),
            "latency_us": {name: latency.to_dict() for name, latency in self.latency.items()},
            "peak_memory_bytes": self.peak_memory_bytes,
            "device": dict(self.device),
            "notes": list(self.notes),
            "extra": dict(self.extra),
            "labels": self.labels.tolist(),
            "predicted": self.predicted.tolist(),
            "sure": None if self.sure is None else self.sure.tolist(),
            "probabilities": [[round(p, 5) for p in row] for row in self.probabilities.astype(np.float64).tolist()],
            "pictures": picture_column.pack(self.pictures),
        }

    @classmethod
    def from_dict(cls, values: Any) -> "Evaluation":
        """Read what `to_dict` returned, after JSON.

        Raises:
            EvaluationError: not an evaluation, of another version, or a field is missing, unknown or does not fit.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise EvaluationError(f"not an evaluation of format {FORMAT}: make it with 'edge-digits evaluate'")
        try:
            return _checked(fields.read(_File, values))
        except FieldError as error:
            raise EvaluationError(f"the evaluation is damaged ({error}): make it again") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record as one JSON file, whole or not at all; compressed where the name ends in ``.gz``.

        Raises:
            OutputError: the file cannot be written.
        """
        content = files.json_bytes(self.to_dict(), indent=None)
        # A fixed time: the same record is the same file.
        files.write_bytes(path, gzip.compress(content, mtime=0) if _is_gzip(path) else content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Evaluation":
        """Read a file that `save` wrote.

        Raises:
            EvaluationError: the file is missing, not JSON, or not an evaluation; the message names it.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(_LARGEST + 1)
        except OSError as error:
            raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from error
        if _is_gzip(path):
            try:
                with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
                    content = unpacked.read(_LARGEST + 1)
            except GZIP as error:
                raise EvaluationError(f"{path}: not an evaluation: cannot be decompressed ({error})") from error
        if len(content) > _LARGEST:
            raise EvaluationError(f"{path}: not an evaluation: more than {_LARGEST >> 20} MB")
        try:
            values = json.loads(content)
        except JSON as error:
            raise EvaluationError(f"{path}: not an evaluation: no JSON in it ({first_line(error)})") from error
        try:
            return cls.from_dict(values)
        except EvaluationError as error:
            raise EvaluationError(f"{path}: {error}") from error


def wrong_pictures(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    predicted: NDArray[Any],
    classes: tuple[str, ...] = DIGIT_CLASSES,
) -> dict[int, NDArray[np.uint8]]:
    """Return the pictures whose answer is wrong, by index.

    Args:
        images: shape ``(n, height, width)``.
        labels: the true classes or texts, shape ``(n,)``.
        predicted: the answers, shape ``(n,)``.
        classes: their names; a turn of a wheel is wrong if it is more than a tenth from the label.
    """
    return {int(i): images[i] for i in np.flatnonzero(~turns.right(labels, predicted, classes))}


_Answers = Annotated[NDArray[Any], NumbersOrTexts(0, MOST - 1, LONGEST_TEXT)]


class _DataInFile(TypedDict):
    name: Name
    split: Literal["train", "validation", "test"]
    sha256: Sha256
    count: Positive


@dataclass(frozen=True)
class _File:
    """An evaluation as `Evaluation.to_dict` writes it."""

    format: str
    created: Time
    model: ModelInfo
    data: _DataInFile
    accuracy: Share
    classes: Annotated[tuple[Line, ...], Length(FEWEST, MOST)]
    input: Input
    confusion: Annotated[NDArray[np.float64], Numbers((None, None), 0, 2**53)] | None
    latency_us: Mapping[Part, LatencyInFile]
    peak_memory_bytes: Count | None
    device: DeviceFacts
    notes: list[Line]
    extra: Extra
    labels: _Answers
    predicted: _Answers
    probabilities: Annotated[NDArray[np.float64], Numbers((None, None), 0, 1)]
    pictures: PictureColumn
    sure: list[bool] | None = None
    silently_wrong: Share | None = None


def _checked(file: _File) -> Evaluation:
    """Turn the fields of a file, each of which fits, into an evaluation whose fields fit together.

    Raises:
        FieldError: they do not.
    """
    of_lines = file.input.kind == "line"
    if not of_lines:
        fields.read(ClassNames, list(file.classes), "classes")
    classes = 1 if of_lines else len(file.classes)
    labels, predicted = (
        _answers(name, values, None if of_lines else classes)
        for name, values in (("labels", file.labels), ("predicted", file.predicted))
    )
    probabilities = file.probabilities.astype(np.float32)
    if not len(labels) == len(predicted) == len(probabilities) == file.data["count"]:
        raise FieldError("labels, predicted, probabilities and data.count are not of the same number of pictures")
    if file.sure is not None and len(file.sure) != len(labels):
        raise FieldError("sure is not of as many pictures as labels")
    if probabilities.shape[1] != classes:
        raise FieldError(f"probabilities are of {probabilities.shape[1]} classes, but classes names {classes}")
    if not of_lines:
        # A foreign softmax may be rounded to nothing but 0.
        sums = file.probabilities.sum(axis=1)
        if np.any((np.abs(sums - 1) > _SUM_TOLERANCE) & (sums != 0)):
            raise FieldError("probabilities are not 1 together")
        _repair_ties(probabilities, predicted)
    wrong = np.flatnonzero(~turns.right(labels, predicted, file.classes)).tolist()
    if file.latency_us and "invoke" not in file.latency_us:
        raise FieldError("latency_us.invoke is missing")
    latency: dict[str, Latency] = {
        name: Latency(part["samples_us"], part["what"]) for name, part in file.latency_us.items()
    }
    for name, part in latency.items():
        if not part.p50:
            raise FieldError(f"latency_us.{name} has a median of 0")
    evaluation = Evaluation(
        model=file.model,
        data=DataInfo(file.data["name"], file.data["split"], file.data["sha256"]),
        labels=labels,
        probabilities=probabilities,
        latency=latency,
        device=file.device,
        pictures=picture_column.unpack(file.pictures, wrong, file.input.shape),
        peak_memory_bytes=file.peak_memory_bytes,
        created=file.created,
        notes=tuple(file.notes),
        extra=file.extra,
        classes=file.classes,
        input=file.input,
        texts=predicted if of_lines else None,
        sure=None if file.sure is None else np.array(file.sure, np.bool_),
    )
    counts = np.zeros((0, 0)) if file.confusion is None else file.confusion
    if not np.array_equal(evaluation.confusion, counts) or abs(evaluation.accuracy - file.accuracy) > 1e-6:
        raise FieldError("accuracy and confusion are not those of labels and predicted")
    if abs((evaluation.silently_wrong or 0.0) - (file.silently_wrong or 0.0)) > 1e-6:
        raise FieldError("silently_wrong is not that of labels, predicted and sure")
    return evaluation


def _answers(name: str, values: NDArray[Any], classes: int | None) -> NDArray[Any]:
    """Return ``values`` as indices of classes, or for None as texts.

    Raises:
        FieldError: they are of the other kind, or an index is no whole number, or has no class.
    """
    if (values.dtype.kind == "U") != (classes is None):
        raise FieldError(f"{name} are {'numbers' if classes is None else 'texts'}, which does not fit input.kind")
    if classes is None:
        return values
    indices = values.astype(np.uint8)
    wrong = values[(indices != values) | (indices >= classes)]
    if len(wrong):
        raise FieldError(f"{name} hold {wrong[0]:g}; allowed are whole numbers 0 to {classes - 1}")
    return indices


def _is_gzip(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix == ".gz"


def _repair_ties(probabilities: NDArray[np.float32], predicted: NDArray[np.uint8]) -> None:
    """Make the recorded answer the largest where rounding made two probabilities equal."""
    rows = np.flatnonzero(probabilities.argmax(axis=1) != predicted)
    top = probabilities[rows].max(axis=1, initial=0.0)
    if np.any(top - probabilities[rows, predicted[rows]] > 2e-5):
        raise FieldError("predicted classes are not those of the largest probability")
    probabilities[rows, predicted[rows]] = np.nextafter(top, np.float32(2))
