"""What a report holds: evaluations set against each other, before anything is drawn or worded."""

from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data import metrics
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation, Latency
from numpy.typing import NDArray

from edge_digits.report.confidence import Confidence
from edge_digits.report.paired import Paired

KERAS, FLOAT, INT8 = "keras", "float32", "int8"
ORIGINAL = "float-original"


@dataclass(frozen=True)
class Row:
    """One evaluation, and how it stands to the float original of the same weights."""

    name: str
    """The label, and so much of device, backend and threads as makes it unique in the report."""
    label: str
    """Model and scheme, such as ``cnn-32-64-64 int8``, for places where the device stands beside it."""
    evaluation: Evaluation
    confidence: Confidence
    drop: Paired | None
    """Against the float original; None for that itself, and where it is not among the evaluations."""
    bytes_ratio: float | None
    """Bytes of the original over those of this file; above 1 this is the smaller one. None as with ``drop``."""
    latency_ratio: float | None
    """Median latency over that of the original, on whichever devices these are; below 1 this is the faster one."""
    float_tflite: "LikeForLike | None"
    """Against the float32 ``.tflite`` on the same device, backend and threads; None for that itself or without it."""

    @property
    def role(self) -> str:
        """One of `edge_digits_runtime.records.evaluation.ROLES`."""
        return self.evaluation.model.role

    @property
    def scheme(self) -> str:
        """``keras``, ``float32``, ``float16``, ``dynamic`` or ``int8``."""
        return self.evaluation.model.scheme

    @property
    def latency(self) -> Latency:
        """Of one bare invocation."""
        return self.evaluation.latency["invoke"]

    @property
    def device(self) -> str:
        """Name of the device."""
        return device_name(self.evaluation)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts of shape ``(10, 10)``: row the true digit, column the answer."""
        return metrics.confusion_matrix(self.evaluation.labels, self.evaluation.predicted)

    @property
    def accuracy_drop_pp(self) -> float | None:
        """Percentage points lost to the float original: 0 for the original itself, None where there is none."""
        if self.drop is not None:
            return self.drop.drop_pp
        return 0.0 if self.role == ORIGINAL else None


@dataclass(frozen=True)
class LikeForLike:
    """A model against the float32 ``.tflite`` of the same weights, measured on the same device in the same way."""

    name: str
    """The row of the float32 model."""
    bytes_ratio: float
    """Its bytes over those of this file; above 1 this is the smaller one."""
    latency_ratio: float
    """Median latency of this over its; below 1 this is the faster one."""


@dataclass(frozen=True)
class Change:
    """A picture that two models answer differently."""

    index: int
    """Where it is in the data set, from 0."""
    truth: int
    before: int
    before_confidence: float
    """In [0, 1]."""
    after: int
    after_confidence: float
    """In [0, 1]."""
    pixels: NDArray[np.uint8] | None
    """Shape ``(28, 28)``, 255 ink; None where no evaluation brought them."""

    @property
    def kind(self) -> str:
        """``lost`` (right, then wrong), ``won`` (wrong, then right) or ``other`` (wrong in two ways)."""
        if self.before == self.truth:
            return "lost"
        return "won" if self.after == self.truth else "other"


@dataclass(frozen=True)
class Comparison:
    """Two rows, picture by picture."""

    before: Row
    after: Row
    paired: Paired
    recall_change_pp: NDArray[np.float64]
    """By digit: recall after less recall before in percentage points, shape ``(10,)``."""
    lost: NDArray[np.int64]
    """By true digit: how often right became wrong, shape ``(10,)``."""
    won: NDArray[np.int64]
    """By true digit: how often wrong became right, shape ``(10,)``."""
    changes: tuple[Change, ...]
    """Every picture with another answer: lost, then won, then other, in each the surest new answer first."""


@dataclass(frozen=True)
class Step:
    """One part of the way from the float original on its device to another row."""

    before: Row
    after: Row
    causes: tuple[str, ...]
    """What differs between the two: any of ``format``, ``quantization``, ``device``, ``backend``, ``threads``."""
    paired: Paired
    largest_difference: float
    """Largest difference between two probabilities of the same digit for the same picture, in [0, 1]."""

    @property
    def bytes_ratio(self) -> float:
        """Bytes before over bytes after; above 1 the file became smaller."""
        return self.before.evaluation.model.bytes / self.after.evaluation.model.bytes

    @property
    def latency_ratio(self) -> float:
        """Median latency after over before; below 1 it became faster."""
        return self.after.latency.p50 / self.before.latency.p50


@dataclass(frozen=True)
class Family:
    """Everything that descends from the same Keras weights."""

    title: str
    """Name of the recipe, with the start of the weights' sha256 where two families share it."""
    rows: tuple[Row, ...]
    """The float original, float ``.tflite`` files, then int8, each in the order given."""
    original: Row | None
    """The float original that drops are counted from."""
    comparisons: tuple[Comparison, ...]
    """The first row against each other one whose answers are not those of a row already compared."""
    same_answers: dict[str, str]
    """By name of a row left out of ``comparisons``: the name of the earlier row that answers exactly as it does."""
    ways: tuple[tuple[Step, ...], ...]
    """From the first row to each int8 row (to every other row where none is int8), in as many steps as rows allow."""

    @property
    def reference(self) -> Row:
        """What the others are compared with: the float original, or the first row where there is none."""
        return self.rows[0]


@dataclass(frozen=True)
class Report:
    """Evaluations of any models and devices on the same pictures, set against each other."""

    data: DataInfo
    count: int
    """Number of pictures."""
    families: tuple[Family, ...]
    notes: tuple[str, ...]
    """Warnings of the evaluations and of the comparison itself."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all families."""
        return tuple(row for family in self.families for row in family.rows)

    @property
    def worst_drop_pp(self) -> float | None:
        """Largest drop of a converted model against its float original in percentage points; None without one.

        A model without its original among the evaluations has no drop and does not count.
        """
        return max((row.drop.drop_pp for row in self.rows if row.drop and row.role != ORIGINAL), default=None)


def device_name(evaluation: Evaluation) -> str:
    """Name of the device that an evaluation was made on."""
    return str(evaluation.device.get("name", "unknown device"))
