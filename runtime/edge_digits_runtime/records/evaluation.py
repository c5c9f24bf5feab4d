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
from edge_digits_runtime.data.classes import DIGIT_CLASSES, MOST
from edge_digits_runtime.errors import EvaluationError
from edge_digits_runtime.image.model_input import INK, Input
from edge_digits_runtime.library_errors import GZIP, JSON, first_line
from edge_digits_runtime.records import fields, files, picture_column
from edge_digits_runtime.records.class_names import ClassNames
from edge_digits_runtime.records.device_facts import Conditions, DeviceFacts
from edge_digits_runtime.records.fields import (
    Count,
    FieldError,
    Length,
    Line,
    Matching,
    Name,
    Numbers,
    Positive,
    Sha256,
    Share,
    Time,
    Within,
)
from edge_digits_runtime.records.picture_column import PictureColumn

FORMAT = "edge-digits-evaluation/3"
_LARGEST = 64 << 20
"""Bytes of an evaluation, unpacked; one of 10,000 pictures has 1 MB."""
Role = Literal["float-original", "float-tflite", "int8"]
ROLES: tuple[Role, ...] = get_args(Role)
Part = Literal["preprocess", "invoke", "postprocess", "total", "picture", "file"]
# A year in microseconds: nothing that is timed here takes as long.
_LONGEST_US = 32_000_000_000_000
_Milliseconds = Annotated[float, Within(0, _LONGEST_US)]
_Microseconds = Annotated[float, Within(0, _LONGEST_US)]
# 128 probabilities of 5 decimals each sum up to one within 0.00064.
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Latency:
    """Timed repetitions of one thing, one picture each."""

    samples_us: Annotated[NDArray[np.float64], Numbers((None,), 0, _LONGEST_US)]
    """Every timed repetition in microseconds, shape ``(n,)``, in the order measured."""
    what: Line = ""
    """Name of the thing timed, such as ``uint8 pixels to prediction``."""

    @property
    def p50(self) -> float:
        """Median in microseconds."""
        return self.percentile(50)

    @property
    def p90(self) -> float:
        """90th percentile in microseconds."""
        return self.percentile(90)

    @property
    def p99(self) -> float:
        """99th percentile in microseconds."""
        return self.percentile(99)

    @property
    def mean(self) -> float:
        """Mean in microseconds."""
        return float(np.mean(self.samples_us))

    @property
    def std(self) -> float:
        """Standard deviation in microseconds."""
        return float(np.std(self.samples_us))

    def percentile(self, q: float) -> float:
        """Return the ``q``-th percentile in microseconds, ``q`` in [0, 100]."""
        return float(np.percentile(self.samples_us, q))

    def to_dict(self) -> dict[str, Any]:
        """Return a summary for readers of the JSON, and the samples it was made from (rounded to 1 ns)."""
        summary = {name: round(getattr(self, name), 3) for name in ("p50", "p90", "p99", "mean", "std")}
        return {"what": self.what} | summary | {"samples_us": [round(float(s), 3) for s in self.samples_us]}


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


class LoopTimes(TypedDict):
    """Five loops of one thing, see `edge_digits_runtime.device.timing.Loops`."""

    median_us: _Microseconds
    """Median over the loops of the time of one invocation, in microseconds."""
    loop_us: Annotated[list[_Microseconds], Length(1, 1000)]
    """Time of one invocation in each loop, in microseconds."""
    invocations: Positive
    """Invocations in each loop."""


class ThreadTimes(TypedDict):
    """Time of one picture with a number of threads."""

    threads: Annotated[int, Within(1, 4096)]
    """Number of cores that a call may use."""
    one_us: _Microseconds
    """A picture alone, in microseconds."""
    many_us: _Microseconds
    """A picture among all of the data set, in microseconds."""


class ConditionsAround(TypedDict):
    """The state of the device before and after it was measured."""

    before: Conditions
    after: Conditions


class TurnFigures(TypedDict):
    """How well wheels were read, see `edge_digits_runtime.data.turns`."""

    resting: Count
    """Wheels and displays that rest: their tenths are 0, 1 or 9."""
    resting_right: Count
    """Of those, how many were answered with the right digit."""
    resting_sure: Count
    """Of those, how many answers were sure."""
    resting_sure_wrong: Count
    """Of those, how many answers were sure, and another digit."""
    wheels: Count
    """Labels that are turns, at any tenth."""
    wheels_near: Count
    """Of those, how many were answered within a tenth."""


class Extra(TypedDict, total=False):
    """Further measurements, see `edge_digits_runtime.device.measurement.evaluate`."""

    loops: Mapping[Part, LoopTimes]
    """The parts of an answer."""
    load_ms: _Milliseconds
    """Median time to read the model, check it and answer the first picture, in a running process."""
    cold_start_ms: _Milliseconds
    """The same from the start of the process."""
    threads: list[ThreadTimes]
    """By number of threads."""
    conditions: ConditionsAround
    """State of the device before and after; it may have slowed down."""
    turns: TurnFigures
    """How well wheels were read, of a model that reads them."""


@dataclass(frozen=True)
class Evaluation:
    """Answers, latency and device of one model on one data set."""

    model: ModelInfo
    data: DataInfo
    labels: NDArray[np.uint8]
    """The true classes, shape ``(n,)``, n at least 1, each an index into ``classes``."""
    probabilities: NDArray[np.float32]
    """Calibrated probabilities, shape ``(n, k)``, each in [0, 1]; the answer is the largest."""
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
    """Names of the k classes, in the order of the outputs."""
    input: Input = INK
    """How the pictures became pixels."""

    @property
    def predicted(self) -> NDArray[np.uint8]:
        """The answers, shape ``(n,)``, as ``labels``; of equal probabilities the first class, as argmax has it."""
        answers: NDArray[np.uint8] = self.probabilities.argmax(axis=1).astype(np.uint8)
        return answers

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
        """How often each of ``shown`` was answered as which, shape ``(s, s)``; row: the truth, column: the answer."""
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
            "confusion": self.confusion.tolist(),
            "latency_us": {name: latency.to_dict() for name, latency in self.latency.items()},
            "peak_memory_bytes": self.peak_memory_bytes,
            "device": dict(self.device),
            "notes": list(self.notes),
            "extra": dict(self.extra),
            "labels": self.labels.tolist(),
            "predicted": self.predicted.tolist(),
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
    images: NDArray[np.uint8], labels: NDArray[np.uint8], predicted: NDArray[np.uint8]
) -> dict[int, NDArray[np.uint8]]:
    """Return the pictures whose answer is not their label, by index.

    Args:
        images: shape ``(n, height, width)``.
        labels: the true classes, shape ``(n,)``.
        predicted: the answers, shape ``(n,)``.
    """
    return {int(i): images[i] for i in np.flatnonzero(labels != predicted)}


_Indices = Annotated[NDArray[np.float64], Numbers((None,), 0, MOST - 1)]


class _DataInFile(TypedDict):
    name: Name
    split: Literal["train", "validation", "test"]
    sha256: Sha256
    count: Positive


class _LatencyInFile(TypedDict):
    what: Line
    p50: _Microseconds
    p90: _Microseconds
    p99: _Microseconds
    mean: _Microseconds
    std: _Microseconds
    samples_us: Annotated[NDArray[np.float64], Numbers((None,), 0, _LONGEST_US)]


@dataclass(frozen=True)
class _File:
    """An evaluation as `Evaluation.to_dict` writes it."""

    format: str
    created: Time
    model: ModelInfo
    data: _DataInFile
    accuracy: Share
    classes: ClassNames
    input: Input
    confusion: Annotated[NDArray[np.float64], Numbers((None, None), 0, 2**53)]
    latency_us: Mapping[Part, _LatencyInFile]
    peak_memory_bytes: Count | None
    device: DeviceFacts
    notes: list[Line]
    extra: Extra
    labels: _Indices
    predicted: _Indices
    probabilities: Annotated[NDArray[np.float64], Numbers((None, None), 0, 1)]
    pictures: PictureColumn


def _checked(file: _File) -> Evaluation:
    """Turn the fields of a file, each of which fits, into an evaluation whose fields fit together.

    Raises:
        FieldError: they do not.
    """
    classes = len(file.classes)
    labels = _indices("labels", file.labels, classes)
    predicted = _indices("predicted", file.predicted, classes)
    probabilities = file.probabilities.astype(np.float32)
    if not len(labels) == len(predicted) == len(probabilities) == file.data["count"]:
        raise FieldError("labels, predicted, probabilities and data.count are not of the same number of pictures")
    if probabilities.shape[1] != classes:
        raise FieldError(f"probabilities are of {probabilities.shape[1]} classes, but classes names {classes}")
    # A foreign softmax may be rounded to nothing but 0.
    sums = file.probabilities.sum(axis=1)
    if np.any((np.abs(sums - 1) > _SUM_TOLERANCE) & (sums != 0)):
        raise FieldError("probabilities are not 1 together")
    _repair_ties(probabilities, predicted)
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
        pictures=picture_column.unpack(file.pictures, np.flatnonzero(labels != predicted).tolist()),
        peak_memory_bytes=file.peak_memory_bytes,
        created=file.created,
        notes=tuple(file.notes),
        extra=file.extra,
        classes=file.classes,
        input=file.input,
    )
    if not np.array_equal(evaluation.confusion, file.confusion) or abs(evaluation.accuracy - file.accuracy) > 1e-6:
        raise FieldError("accuracy and confusion are not those of labels and predicted")
    return evaluation


def _indices(name: str, values: NDArray[np.float64], classes: int) -> NDArray[np.uint8]:
    """Return ``values`` as indices of classes.

    Raises:
        FieldError: one is no whole number, or has no class.
    """
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
