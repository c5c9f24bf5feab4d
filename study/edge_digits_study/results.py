"""``results.json``: the trials of a study, for its page and for ``study compare``.

Files are checked against the types below when they are read: types, ranges and lengths, nested values too.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypedDict, TypeVar

import msgspec
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.mnist_format import DIGITS
from edge_digits_runtime.records import files
from msgspec import Meta

FORMAT = "edge-digits-study/1"
RESULTS = "results.json"

Share = Annotated[float, Meta(ge=0, le=1)]
Points = Annotated[float, Meta(ge=-100, le=100)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Epochs = Annotated[int, Meta(ge=1, le=10**6)]
# A network that learns nothing has a large loss, but one that float32 can hold.
Loss = Annotated[float, Meta(ge=0, le=1e39)]
Duration = Annotated[float, Meta(ge=0, le=1e15)]
PerDigit = Annotated[list[Share], Meta(min_length=DIGITS, max_length=DIGITS)]
CountsPerDigit = Annotated[list[Count], Meta(min_length=DIGITS, max_length=DIGITS)]


class History(TypedDict):
    """Values of one training, one for each epoch."""

    loss: list[Loss]
    accuracy: list[Share]
    val_loss: list[Loss]
    val_accuracy: list[Share]
    seconds: list[Duration]


class Accuracies(TypedDict):
    """Share of right answers in [0, 1] on each split."""

    train: Share
    validation: Share
    test: Share


class Losses(TypedDict):
    """Cross-entropy in nats on each split."""

    train: Loss
    validation: Loss
    test: Loss


class Int8Accuracies(TypedDict):
    """Share of right answers in [0, 1] on each split; the training pictures are not measured."""

    validation: Share
    test: Share


class MacroAverages(TypedDict):
    """Means over the ten digits, in [0, 1]."""

    precision: Share
    recall: Share
    f1: Share


class Metrics(TypedDict):
    """Metrics on the test pictures, one value for each digit."""

    precision: PerDigit
    recall: PerDigit
    f1: PerDigit
    macro: MacroAverages
    confusion: Annotated[list[CountsPerDigit], Meta(min_length=DIGITS, max_length=DIGITS)]
    """Counts; line: true digit, column: answer."""


class _DeviceFacts(TypedDict, total=False):
    """The facts of a device that a page shows."""

    name: str | None
    kind: str | None
    machine: str | None
    cores: Count | None
    memory_bytes: Count | None


@dataclass(frozen=True)
class Int8:
    """The int8 model of a trial."""

    accuracy: Int8Accuracies
    """Share of right answers in [0, 1]: ``validation`` and ``test``."""
    drop: Points
    """Test accuracy of the float original minus that of int8, in percentage points."""
    bytes: Count
    """Size of the flatbuffer."""
    file_bytes: Count
    """Size of the file, with labels and card."""
    p50_us: Duration
    """Median latency of one picture in microseconds, with one thread on ``device``."""
    device: Mapping[str, Any]
    """Facts of the device that converted and measured the model; it need not be the one that trained."""


@dataclass(frozen=True)
class Trial:
    """One training of a system, measured before and after quantization."""

    system: str
    """Name of the `edge_digits_study.definition.System`."""
    seed: Count
    """Seed of everything random in the training."""
    epochs: Epochs
    """Number of epochs trained, which may be smaller than that of the document."""
    history: History
    """Values by epoch: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``seconds``; see `RunRecord.history`."""
    accuracy: Accuracies
    """Share of right answers of the float original after training in [0, 1]: ``train``, ``validation``, ``test``."""
    loss: Losses
    """Cross-entropy of the float original after training in nats: ``train``, ``validation``, ``test``."""
    metrics: Metrics
    """On the test pictures, of the float original: ``precision``, ``recall``, ``f1``, ``macro``, ``confusion``."""
    parameters: Count
    """Number of trainable parameters."""
    macs: Count
    """Multiply-accumulates of one picture."""
    float_p50_us: Duration
    """Median latency of one picture in Keras in microseconds, on the device that trained."""
    int8: Int8 | None
    """None if the trial was trained on a machine without TensorFlow and is not converted yet."""
    device: Mapping[str, Any]
    """Facts of the training device."""
    versions: Mapping[str, str]
    """Versions of the packages that were used."""
    run: str
    """Path of the run folder, relative to ``results.json``."""

    @property
    def key(self) -> tuple[str, int, int]:
        """System, epochs and seed, which identify a trial within a study."""
        return self.system, self.epochs, self.seed

    def save(self, path: Path) -> None:
        """Write the trial as JSON, whole or not at all."""
        files.write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Trial":
        """Read a file that `save` wrote.

        Raises:
            RunError: the file cannot be read, or a value is missing or not allowed; the message names the file.
        """
        trial = _decode(path, cls)
        _check(trial, path, "")
        return trial


@dataclass(frozen=True)
class Results:
    """All trials of a study that are done."""

    study: str
    """Name of the `edge_digits_study.definition.Study`."""
    trials: tuple[Trial, ...]

    def of(self, system: str) -> tuple[Trial, ...]:
        """Return the trials of ``system`` with the largest number of epochs, in the order of their seeds."""
        trials = [trial for trial in self.trials if trial.system == system]
        epochs = max((trial.epochs for trial in trials), default=0)
        return tuple(sorted((trial for trial in trials if trial.epochs == epochs), key=lambda trial: trial.seed))

    def save(self, folder: Path) -> None:
        """Write ``results.json`` into ``folder``, whole or not at all."""
        trials = [dataclasses.asdict(trial) for trial in sorted(self.trials, key=lambda trial: trial.key)]
        files.write_json(folder / RESULTS, {"format": FORMAT, "study": self.study, "trials": trials})

    @classmethod
    def load(cls, folder: Path, study: str) -> "Results":
        """Read the ``results.json`` that `save` wrote into ``folder``.

        Raises:
            RunError: the file cannot be read, a value is missing or not allowed, or it holds another study than
                ``study``; the message names the file.
        """
        path = folder / RESULTS
        content = _decode(path, _ResultsFile)
        if content.study != study:
            raise RunError(f"{path}: holds the study {content.study!r}, not {study}; choose another folder")
        for number, trial in enumerate(content.trials):
            _check(trial, path, f".trials[{number}]")
        return cls(content.study, content.trials)


@dataclass(frozen=True)
class _ResultsFile:
    format: Literal["edge-digits-study/1"]
    study: str
    trials: tuple[Trial, ...]


Record = TypeVar("Record")


def _decode(path: Path, kind: type[Record]) -> Record:
    try:
        return msgspec.json.decode(files.read_bytes(path), type=kind)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    # UnicodeDecodeError: a string that is not UTF-8. RecursionError: thousands of nested lists.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


def _check(trial: Trial, path: Path, place: str) -> None:
    """Check what types cannot say.

    Raises:
        RunError: the trial contradicts itself.
    """
    for name, values in trial.history.items():
        if len(values) != trial.epochs:  # type: ignore[arg-type]
            raise _damaged(path, f"{trial.epochs} epochs, but another number of values - at `${place}.history.{name}`")
    run = PurePosixPath(trial.run)
    if run.is_absolute() or ".." in run.parts:
        raise _damaged(path, f"the run folder is not below this folder - at `${place}.run`")
    devices = {"device": trial.device} | ({} if trial.int8 is None else {"int8.device": trial.int8.device})
    for name, facts in devices.items():
        try:
            msgspec.convert(facts, _DeviceFacts)
        except msgspec.ValidationError as error:
            raise _damaged(path, f"{error} in `${place}.{name}`") from error


def _damaged(path: Path, reason: str) -> RunError:
    # A study that finds the file again would fail again; trials whose run folders are there are read from these.
    return RunError(f"{path}: damaged ({reason}): delete it and run the study again")
