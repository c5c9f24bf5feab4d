"""The parts of a report: evaluations compared with each other, before anything is drawn or put into words."""

from dataclasses import dataclass, replace

import numpy as np
from edge_digits_runtime.data.classes import are_digits
from edge_digits_runtime.records.evaluation import DataInfo, Evaluation
from edge_digits_runtime.records.layers import LayerRecord
from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord
from edge_digits_runtime.records.timings import Latency
from numpy.typing import NDArray

from edge_digits.gate import Gate
from edge_digits.paired import Paired
from edge_digits.report.reliability import Reliability

KERAS, FLOAT, INT8 = "keras", "float32", "int8"
ORIGINAL = "float-original"
TITLE = "Accuracy-drop report"
"""Of every form of a report."""


@dataclass(frozen=True)
class Row:
    """One evaluation, compared with the float original of the same weights."""

    name: str
    """Unique in the report: the label, and device, backend and threads as far as they are needed to tell rows apart."""
    label: str
    """Model and scheme, such as ``cnn-32-64-64 int8``, for places that show the device separately."""
    device: str
    """Name of the device, followed by cores, features, memory or governor where another device has the same name."""
    evaluation: Evaluation
    reliability: Reliability
    drop: Paired | None
    """The float original against this row; None for the original itself and if it is not among the evaluations."""
    bytes_ratio: float | None
    """Bytes of the original divided by bytes of this file; above 1 this file is smaller. None as for ``drop``."""
    latency_ratio: float | None
    """Median of an invocation divided by that of the original, whatever their devices; below 1 this row is faster."""
    file_ratio: float | None
    """The same of the way from a picture file to the answer."""
    float_tflite: "LikeForLike | None"
    """Compared with the float32 ``.tflite`` on the same device, backend and threads; None if there is none."""

    @property
    def role(self) -> str:
        """One of `edge_digits_runtime.records.evaluation.ROLES`."""
        return self.evaluation.model.role

    @property
    def scheme(self) -> str:
        """``keras``, ``float32``, ``float16``, ``dynamic`` or ``int8``."""
        return self.evaluation.model.scheme

    @property
    def latency(self) -> Latency | None:
        """Latency of one bare invocation; None if only the accuracy was measured."""
        return self.evaluation.latency.get("invoke")

    @property
    def file(self) -> Latency | None:
        """Latency from a picture file to the answer, which is what a person waits for; None if it was not measured."""
        return self.evaluation.latency.get("file")

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts, see `Evaluation.confusion`."""
        return self.evaluation.confusion

    @property
    def accuracy_drop_pp(self) -> float | None:
        """Accuracy lost to the float original in percentage points: 0 for the original, None if there is none."""
        if self.drop is not None:
            return self.drop.drop_pp
        return 0.0 if self.role == ORIGINAL else None


@dataclass(frozen=True)
class LikeForLike:
    """A model compared with the float32 ``.tflite`` of the same weights, measured on one device in the same way."""

    name: str
    """Name of the float32 row."""
    bytes_ratio: float
    """Bytes of the float32 file divided by bytes of this one; above 1 this one is smaller."""
    latency_ratio: float | None
    """Median of an invocation divided by that of the float32 file; below 1 this model is faster."""
    file_ratio: float | None
    """The same of the way from a picture file to the answer."""


@dataclass(frozen=True)
class Change:
    """A picture to which two models give different answers."""

    index: int
    """Position in the data set, from 0."""
    truth: str
    """Name of the true class, or what is written in a line."""
    before: str
    """Answer of the first model, likewise."""
    before_confidence: float
    """Its confidence in [0, 1]."""
    after: str
    """Answer of the second model."""
    after_confidence: float
    """Its confidence in [0, 1]."""
    pixels: NDArray[np.uint8] | None
    """What the models saw, shape ``(height, width)``; None if no evaluation contains the picture."""

    kind: str
    """``lost`` (right, then wrong), ``won`` (wrong, then right) or ``other``: wrong both times; or right both times,
    where two turns of a wheel are within a tenth of the label."""


@dataclass(frozen=True)
class Comparison:
    """Two rows, compared picture by picture."""

    before: Row
    after: Row
    paired: Paired
    recall_drop_pp: NDArray[np.float64]
    """Recall before minus recall after for each class, in percentage points, shape ``(k,)``: as of every drop,
    positive where something was lost. Of lines, shape ``(0,)``, as the counts below."""
    lost: NDArray[np.int64]
    """Number of right answers that became wrong, for each true class, shape ``(k,)``."""
    won: NDArray[np.int64]
    """Number of wrong answers that became right, for each true class, shape ``(k,)``."""
    changes: tuple[Change, ...]
    """Every picture whose answer changed: lost, won, other; within each the most confident new answer first."""


@dataclass(frozen=True)
class Step:
    """One step of a breakdown: two rows that differ in one thing or a few."""

    before: Row
    after: Row
    causes: tuple[str, ...]
    """Differences between the rows: any of ``format``, ``quantization``, ``device``, ``backend``, ``threads``."""
    paired: Paired
    largest_difference: float
    """Largest difference between the two probabilities of one class for one picture, in [0, 1]."""

    @property
    def bytes_ratio(self) -> float:
        """Bytes before divided by bytes after; above 1 the file became smaller."""
        return self.before.evaluation.model.bytes / self.after.evaluation.model.bytes

    @property
    def latency_ratio(self) -> float | None:
        """Median of an invocation after divided by that before; below 1 the model became faster."""
        return latency_ratio(self.after.latency, self.before.latency)


@dataclass(frozen=True)
class Family:
    """All rows that descend from the same Keras weights."""

    title: str
    """Name of the recipe, with the start of the weights' sha256 if two families have the same name."""
    rows: tuple[Row, ...]
    """The float original, float ``.tflite`` files, then int8, each in the order given."""
    original: Row | None
    """The float original, from which drops are counted."""
    comparisons: tuple[Comparison, ...]
    """The first row against each other row whose answers are not equal to those of a row compared earlier."""
    same_answers: dict[str, str]
    """Name of each row that is not compared, with the name of the earlier row that gives exactly the same answers."""
    breakdowns: tuple[tuple[Step, ...], ...]
    """Steps from the first row to each int8 row, or to every other row if none is int8; see `breakdown`."""


@dataclass(frozen=True)
class Report:
    """Evaluations of any models on any devices, all on the same pictures, compared with each other."""

    data: DataInfo
    count: int
    """Number of pictures."""
    families: tuple[Family, ...]
    notes: tuple[str, ...]
    """Warnings of the evaluations and of the comparison itself."""
    gates: tuple[Gate, ...] = ()
    """Whether each converted model keeps within a limit, if one was given."""
    microcontrollers: tuple[MicrocontrollerRecord, ...] = ()
    """What the C of models among the rows takes on microcontrollers, where an export was measured."""
    layers: tuple[LayerRecord, ...] = ()
    """What int8 costs models among the rows, layer by layer, where ``convert`` compared the layers."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the k classes."""
        return self.families[0].rows[0].evaluation.classes

    @property
    def shown(self) -> tuple[str, ...]:
        """Names of the rows of confusion matrices, see `Evaluation.shown`."""
        return self.families[0].rows[0].evaluation.shown

    @property
    def of_lines(self) -> bool:
        """Whether the answers are texts of lines, which have no classes to count by."""
        return self.families[0].rows[0].evaluation.of_lines

    @property
    def word(self) -> str:
        """What a class is called: ``digit`` or ``class``."""
        return class_word(self.shown)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all families."""
        return tuple(row for family in self.families for row in family.rows)

    @property
    def worst_drop_pp(self) -> float | None:
        """Largest drop of a converted model in percentage points; None if no model has a drop.

        A model without its float original among the evaluations has no drop and does not count.
        """
        return max((row.drop.drop_pp for row in self.rows if row.drop and row.role != ORIGINAL), default=None)

    def gated(self, limit_pp: float, by_point: bool) -> "Report":
        """Return the report with the answer, for each converted model with a drop, whether it is within a limit."""
        gates = (Gate(r.name, r.drop, limit_pp, by_point) for r in self.rows if r.drop and r.role != ORIGINAL)
        return replace(self, gates=tuple(gates))


def latency_ratio(after: Latency | None, before: Latency | None) -> float | None:
    """Return the median of ``after`` divided by that of ``before``; None if either was not measured."""
    return after.p50 / before.p50 if after and before else None


def class_word(classes: tuple[str, ...]) -> str:
    """Return what one of ``classes`` is called: ``digit`` or ``class``."""
    return "digit" if are_digits(classes) else "class"


def device_name(evaluation: Evaluation) -> str:
    """Return the name of the device that an evaluation was made on."""
    return str(evaluation.device.get("name", "unknown device"))
