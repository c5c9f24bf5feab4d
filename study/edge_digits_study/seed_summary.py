"""From trials to figures: what the seeds of a system came to, as mean and spread."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edge_digits_runtime.data.metrics import at_least

from edge_digits_study.plan import Study, System
from edge_digits_study.results import Results, Trial

CONVERGED_PP = 0.1
"""Training has converged in the first epoch whose validation accuracy is within this of the best of the run."""
MAX_DROP_PP = 0.10
"""Most that int8 may lose, in percentage points of test accuracy as a mean over seeds."""


@dataclass(frozen=True)
class Figure:
    """A quantity over seeds."""

    mean: float
    std: float | None
    """Standard deviation of the sample (divided by n - 1); None for one seed."""
    n: int
    """Number of seeds."""

    @classmethod
    def of(cls, values: Iterable[float]) -> "Figure":
        """Of one value for each seed, at least one."""
        sample = list(values)
        return cls(statistics.fmean(sample), statistics.stdev(sample) if len(sample) > 1 else None, len(sample))


@dataclass(frozen=True)
class Quantized:
    """What int8 made of a system, over the seeds that were converted."""

    accuracy: Figure
    """On the test pictures, in percent."""
    drop: Figure
    """Test accuracy of the float original minus int8's, in percentage points."""
    bytes: Figure
    """Size of the flatbuffer."""
    p50_us: Figure
    """Median latency of one picture in microseconds."""
    float_p50_us: Figure
    """The same of the float originals in Keras."""


@dataclass(frozen=True)
class Measured:
    """A system that was trained."""

    system: System
    trials: tuple[Trial, ...]
    """One for each seed, all with the same number of epochs; at least one."""
    epochs: int
    """How many were trained."""
    wanted_epochs: int
    """How many the document says."""
    figures: Mapping[str, Figure]
    """By name of `edge_digits_study.plan.QUANTITIES`, each of them."""
    quantized: Quantized | None
    """None where no trial is converted."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """In rising order."""
        return tuple(trial.seed for trial in self.trials)


def measure(study: Study, results: Results) -> Mapping[str, Measured]:
    """Every system of ``study`` that has trials, by name and in the order of the study."""
    return {system.name: _measured(system, trials) for system in study.systems if (trials := results.of(system.name))}


def _measured(system: System, trials: tuple[Trial, ...]) -> Measured:
    return Measured(
        system=system,
        trials=trials,
        epochs=trials[0].epochs,
        wanted_epochs=system.build(trials[0].seed).epochs,
        figures={name: Figure.of(map(value, trials)) for name, value in VALUES.items()},
        quantized=_quantized(trials),
    )


def _quantized(trials: tuple[Trial, ...]) -> Quantized | None:
    pairs = [(trial, trial.int8) for trial in trials if trial.int8 is not None]
    if not pairs:
        return None
    return Quantized(
        accuracy=Figure.of(100 * int8.accuracy["test"] for _, int8 in pairs),
        drop=Figure.of(int8.drop for _, int8 in pairs),
        bytes=Figure.of(int8.bytes for _, int8 in pairs),
        p50_us=Figure.of(int8.p50_us for _, int8 in pairs),
        float_p50_us=Figure.of(trial.float_p50_us for trial, _ in pairs),
    )


def _overfitting(trial: Trial) -> float:
    return 100 * (trial.accuracy["train"] - trial.accuracy["test"])


def _convergence_epoch(trial: Trial) -> int:
    accuracy = trial.history["val_accuracy"]
    enough = 100 * max(accuracy) - CONVERGED_PP
    return next(epoch for epoch, value in enumerate(accuracy, 1) if at_least(100 * value, enough))


VALUES: Mapping[str, Callable[[Trial], float]] = {
    "test_accuracy": lambda trial: 100 * trial.accuracy["test"],
    "validation_accuracy": lambda trial: 100 * trial.accuracy["validation"],
    "train_accuracy": lambda trial: 100 * trial.accuracy["train"],
    "test_loss": lambda trial: trial.loss["test"],
    "train_loss": lambda trial: trial.loss["train"],
    "precision": lambda trial: 100 * float(trial.metrics["macro"]["precision"]),
    "recall": lambda trial: 100 * float(trial.metrics["macro"]["recall"]),
    "f1": lambda trial: 100 * float(trial.metrics["macro"]["f1"]),
    "overfitting": _overfitting,
    "convergence_epoch": _convergence_epoch,
    "parameters": lambda trial: trial.parameters,
    # The first epoch compiles the network, which the median leaves out.
    "seconds_per_epoch": lambda trial: statistics.median(trial.history["seconds"]),
    "minutes": lambda trial: math.fsum(trial.history["seconds"]) / 60,
}
"""How a trial comes to each quantity of `edge_digits_study.plan.QUANTITIES`."""
