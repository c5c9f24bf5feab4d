"""``results.json``: what the trials of a study came to, for its page and for ``study compare``."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records import files

FORMAT = "edge-digits-study/1"
RESULTS = "results.json"


@dataclass(frozen=True)
class Int8:
    """The quantized model of a trial."""

    accuracy: Mapping[str, float]
    """Share of right answers in [0, 1] by split, ``validation`` and ``test``."""
    drop: float
    """Test accuracy of the float original minus its own, in percentage points."""
    bytes: int
    """Size of the flatbuffer."""
    file_bytes: int
    """Size of the file, with labels and card."""
    p50_us: float
    """Median latency of one picture on the device of the trial, one thread, in microseconds."""


@dataclass(frozen=True)
class Trial:
    """One system, trained once."""

    system: str
    """Name of the `edge_digits_study.plan.System`."""
    seed: int
    epochs: int
    """How many were trained, which may be fewer than the document's."""
    history: Mapping[str, list[float]]
    """By epoch: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``seconds``; see `RunRecord.history`."""
    accuracy: Mapping[str, float]
    """Of the float original after training, share of right answers in [0, 1]: ``train``, ``validation``, ``test``."""
    loss: Mapping[str, float]
    """Cross-entropy in nats of the same: ``train``, ``validation``, ``test``."""
    metrics: Mapping[str, Any]
    """Of the float original on the test pictures, see `RunRecord.metrics`: by class and ``macro``, ``confusion``."""
    parameters: int
    macs: int
    float_p50_us: float
    """Median latency of one picture in Keras on the device of the trial, in microseconds."""
    int8: Int8 | None
    """None where the trial was trained on a machine without TensorFlow and is not converted yet."""
    device: Mapping[str, Any]
    """Facts of the training device."""
    versions: Mapping[str, str]
    """Versions of the packages that took part."""
    run: str
    """The run folder, relative to ``results.json``."""

    def to_dict(self) -> dict[str, Any]:
        """The trial as JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Trial":
        """What `to_dict` was given.

        Raises:
            KeyError, TypeError: a field is missing or unknown.
        """
        int8 = None if values["int8"] is None else Int8(**values["int8"])
        return cls(**{**values, "int8": int8})


@dataclass(frozen=True)
class Results:
    """All trials of a study that are done."""

    study: str
    """Name of the `edge_digits_study.plan.Study`."""
    trials: tuple[Trial, ...]

    def of(self, system: str) -> tuple[Trial, ...]:
        """The trials of ``system`` with the largest number of epochs that any of them has, by seed; may be none."""
        trials = [trial for trial in self.trials if trial.system == system]
        epochs = max((trial.epochs for trial in trials), default=0)
        return tuple(sorted((trial for trial in trials if trial.epochs == epochs), key=lambda trial: trial.seed))

    def save(self, folder: Path) -> None:
        """Write ``results.json`` into ``folder``, whole or not at all."""
        trials = sorted(self.trials, key=lambda trial: (trial.system, trial.epochs, trial.seed))
        values = {"format": FORMAT, "study": self.study, "trials": [trial.to_dict() for trial in trials]}
        files.write_json(folder / RESULTS, values)

    @classmethod
    def load(cls, folder: Path) -> "Results":
        """Read what `save` wrote.

        Raises:
            RunError: it is not there, damaged, or of another version.
        """
        path = folder / RESULTS
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise ValueError(f"not of format {FORMAT}")
            return cls(values["study"], tuple(Trial.from_dict(trial) for trial in values["trials"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: cannot be read ({error}): run the study again") from error
