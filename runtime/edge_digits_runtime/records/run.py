"""The run folder: what training leaves behind and conversion starts from.

| file | |
|---|---|
| ``model.keras`` | the trained Keras model |
| ``run.json`` | `RunRecord`, written last: a folder without it is unfinished |
| ``evaluation.json`` | the Keras original on the test split, see `edge_digits_runtime.records.evaluation` |
| ``curves.png`` | loss and accuracy by epoch |
| ``checkpoint.npz`` | there only while training is unfinished; ``--resume`` starts from it |
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from edge_digits_runtime.data import turns
from edge_digits_runtime.data.classes import FEWEST, MOST
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.image.model_input import Input
from edge_digits_runtime.library_errors import JSON, first_line
from edge_digits_runtime.records import fields, files
from edge_digits_runtime.records.class_names import ClassNames
from edge_digits_runtime.records.device_facts import DeviceFacts
from edge_digits_runtime.records.fields import As, Count, FieldError, Length, Line, Name, Sha256, Share, Time, Within

FORMAT = "edge-digits-run/3"
LINE_FORMAT = "edge-digits-line-run/1"
"""Format of the run of a line reader, see `edge_digits_runtime.records.line_run`."""
MODEL, RECORD, EVALUATION, CURVES = "model.keras", "run.json", "evaluation.json", "curves.png"
# One file, not a model and a record beside it: a process killed between the two would leave a pair that does not match.
CHECKPOINT = "checkpoint.npz"
_Microseconds = Annotated[float, Within(0, 1e12)]


class NamedRecipe(TypedDict):
    """As much of a recipe as the runtime reads; the other fields are the training side's."""

    name: Name


class Digests(TypedDict):
    """`edge_digits_runtime.data.datasets.digest` of each split."""

    train: Sha256
    validation: Sha256
    test: Sha256


class GroupingRecord(TypedDict):
    """How the groups of the pictures were found, see `edge_digits_runtime.data.loading.Grouping`."""

    pattern: Line | None
    """Regular expression on the path of a picture; None for what the data set itself says."""
    test: list[Line]
    """Groups that were asked for as test groups; none for a seeded draw."""


class RunData(TypedDict):
    """The data set of a run."""

    name: Name
    """Its name in reports, such as ``MNIST``."""
    source: str | None
    """Absolute path of what ``--data`` was given; None for MNIST."""
    sha256: Digests
    """Digest by split."""
    counts: Mapping[Literal["train", "validation", "test"], Count]
    """Number of pictures by split."""
    classes: ClassNames
    """Names of the classes, in the order of the network's outputs."""
    input: Input
    """How the pictures became pixels."""
    groups: Mapping[Literal["validation", "test"], list[Line]]
    """Names of the groups that were held out, by split; none where no groups are known."""
    grouping: GroupingRecord
    """How the groups were found."""


class Accuracy(TypedDict):
    """Share of right answers in [0, 1] by split."""

    validation: Share
    test: Share


class KerasLatency(TypedDict):
    """Time of one picture in Keras, in microseconds."""

    p50: _Microseconds
    p90: _Microseconds
    p99: _Microseconds
    mean: _Microseconds
    std: _Microseconds


_OfEachClass = Annotated[list[Share], Length(FEWEST, MOST)]


class MacroMeans(TypedDict):
    """Means over the classes, each in [0, 1]."""

    precision: Share
    recall: Share
    f1: Share


class Metrics(TypedDict):
    """Figures of merit of the answers to the test split, see `edge_digits_runtime.data.metrics`."""

    precision: _OfEachClass
    """Share of the answers of each class that are right."""
    recall: _OfEachClass
    """Share of the pictures of each class that are answered right."""
    f1: _OfEachClass
    """Harmonic mean of both, for each class."""
    macro: MacroMeans
    """Means of the three over the classes."""
    confusion: Annotated[list[Annotated[list[Count], Length(FEWEST, MOST)]], Length(FEWEST, MOST)]
    """Row is the true class, column the answer."""


@dataclass(frozen=True)
class RunRecord:
    """The content of ``run.json``."""

    recipe: Annotated[Mapping[str, Any], As(NamedRecipe)]
    """The recipe as trained, options and seed included (`Recipe.to_dict` of the training side)."""
    data: Annotated[Mapping[str, Any], As(RunData)]
    """The data set, see `RunData`."""
    weights_sha256: Sha256
    """Hex digest of the trained weights; also the identity of the run."""
    model_sha256: Sha256
    """Hex digest of ``model.keras``, so that a damaged file is noticed before it is converted."""
    device: Annotated[Mapping[str, Any], As(DeviceFacts)]
    """Facts of the training device, see `DeviceFacts`; ``kind`` is ``CPU`` or ``GPU``."""
    versions: Mapping[str, Line]
    """Versions of the packages that took part, by name."""
    history: Mapping[str, list[float]]
    """By epoch: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` and ``seconds``."""
    accuracy: Annotated[Mapping[str, float], As(Accuracy)]
    """Share of right answers in [0, 1] by split: ``validation`` and ``test``."""
    metrics: Annotated[Mapping[str, Any], As(Metrics)]
    """Figures of merit on the test split, see `Metrics`."""
    latency_us: Annotated[Mapping[str, float], As(KerasLatency)]
    """Single-picture latency of the Keras model in microseconds: ``p50``, ``p90``, ``p99``, ``mean``, ``std``."""
    parameters: Count
    """Number of trainable parameters."""
    macs: Count
    """Multiply-accumulates of one picture."""
    created: Time = ""
    """UTC time, ISO 8601."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More about the training, such as how many processes took part."""

    @property
    def name(self) -> str:
        """Name of the recipe, such as ``digits-m``."""
        return str(self.recipe["name"])

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-ready values, with the format name first."""
        return {"format": FORMAT} | dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> "RunRecord":
        """Read what `to_dict` returned, after JSON.

        Raises:
            RunError: not a run record, or a field is missing, unknown or does not fit.
        """
        if isinstance(values, Mapping) and values.get("format") == LINE_FORMAT:
            raise RunError("the run of a line reader; give the run of a classifier")
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise RunError(f"not a run of format {FORMAT}; runs are made by 'edge-digits train'")
        try:
            record: RunRecord = fields.read(cls, {name: value for name, value in values.items() if name != "format"})
            if "kind" not in record.device:
                raise FieldError("device.kind is missing")
            source = record.data["source"]
            if _lengths(record) != {len(turns.shown(tuple(record.data["classes"])))}:
                raise FieldError("metrics are not of as many classes as data.classes names")
            if source is not None and not Path(source).is_absolute():
                raise FieldError(f"data.source is {source[:60]!r}; allowed is an absolute path")
        except FieldError as error:
            raise RunError(f"the record of the run is damaged ({error}): train again") from error
        return record

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``run.json`` into ``folder``, whole or not at all.

        A relative path of the data set becomes an absolute one: the run may be converted from another folder.

        Raises:
            OutputError: the file cannot be written.
        """
        source = self.data["source"]
        absolute = dict(self.data) | {"source": source and str(Path(source).absolute())}
        files.write_json(Path(folder) / RECORD, dataclasses.replace(self, data=absolute).to_dict())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "RunRecord":
        """Read the record of a finished run.

        Raises:
            RunError: no such folder, unfinished, damaged, or not a run; the message names the folder.
        """
        folder = Path(folder)
        values = read_values(folder)
        try:
            return cls.from_dict(values)
        except RunError as error:
            raise RunError(f"{folder / RECORD}: {error}") from error


def read_values(folder: Path) -> Any:
    """Return what ``run.json`` of a finished run holds, before it is checked.

    Raises:
        RunError: no such folder, unfinished, or not a run; the message names the folder.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: no such run folder; make one with 'edge-digits train'")
    if not (folder / RECORD).is_file():
        if (folder / CHECKPOINT).is_file():
            raise RunError(f"{folder}: unfinished; finish it with 'edge-digits train --resume --out {folder}'")
        raise RunError(f"{folder}: not a run folder (no {RECORD} in it); make one with 'edge-digits train'")
    try:
        content = files.read_bytes(folder / RECORD)
    except OSError as error:
        raise RunError(f"{folder / RECORD}: cannot be read ({error.strerror})") from error
    try:
        values = json.loads(content)
    except JSON as error:
        raise RunError(f"{folder / RECORD}: cannot be read ({first_line(error)}): train again") from error
    return values


def _lengths(record: RunRecord) -> set[int]:
    """The numbers of classes that the metrics of a run are of."""
    confusion = record.metrics["confusion"]
    lists = [*(record.metrics[name] for name in ("precision", "recall", "f1")), confusion, *confusion]
    return {len(values) for values in lists}
