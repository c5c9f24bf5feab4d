"""Summaries over seeds: mean and standard deviation of everything that is measured on a system."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edge_digits_runtime.data.metrics import at_least

from edge_digits_study.definition import Study, System
from edge_digits_study.results import Results, Trial

CONVERGED_PP = 0.1
"""A training has converged at the first epoch whose validation accuracy is this close to the best of the training."""
MAX_DROP_PP = 0.10
"""Largest drop that int8 may have, in percentage points of test accuracy, as a mean over seeds."""


@dataclass(frozen=True)
class Estimate:
    """A quantity measured with several seeds."""

    values: tuple[float, ...]
    """One value for each seed, at least one."""

    @classmethod
    def of(cls, values: Iterable[float]) -> "Estimate":
        """Return the estimate from one value for each seed."""
        return cls(tuple(values))

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def std(self) -> float | None:
        """Standard deviation of the sample, divided by n - 1; None for one seed."""
        return statistics.stdev(self.values) if self.n > 1 else None


@dataclass(frozen=True)
class Int8Summary:
    """The int8 models of a system, over the seeds that were converted."""

    accuracy: Estimate
    """Accuracy on the test pictures in percent."""
    drop: Estimate
    """Test accuracy of the float original minus that of int8, in percentage points."""
    bytes: Estimate
    """Size of the flatbuffer."""
    p50_us: Estimate
    """Median latency of one picture in microseconds."""
    float_p50_us: Estimate
    """Median latency of the same float originals in Keras, in microseconds."""


@dataclass(frozen=True)
class SystemSummary:
    """The trials of one system."""

    system: System
    trials: tuple[Trial, ...]
    """One trial for each seed, all with the same number of epochs; at least one."""
    epochs: int
    """Number of epochs trained."""
    document_epochs: int
    """Number of epochs in the document."""
    figures: Mapping[str, Estimate]
    """Every quantity of `edge_digits_study.definition.QUANTITIES`, by name."""
    int8: Int8Summary | None
    """None if no trial is converted."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds in rising order."""
        return tuple(trial.seed for trial in self.trials)


def summarize(study: Study, results: Results) -> Mapping[str, SystemSummary]:
    """Summarize every system of ``study`` that has trials, by name and in the order of the study."""
    return {system.name: _summary(system, trials) for system in study.systems if (trials := results.of(system.name))}


def _summary(system: System, trials: tuple[Trial, ...]) -> SystemSummary:
    return SystemSummary(
        system=system,
        trials=trials,
        epochs=trials[0].epochs,
        document_epochs=system.build(trials[0].seed).epochs,
        figures={name: Estimate.of(map(value, trials)) for name, value in VALUES.items()},
        int8=_int8(trials),
    )


def _int8(trials: tuple[Trial, ...]) -> Int8Summary | None:
    pairs = [(trial, trial.int8) for trial in trials if trial.int8 is not None]
    if not pairs:
        return None
    return Int8Summary(
        accuracy=Estimate.of(100 * int8.accuracy["test"] for _, int8 in pairs),
        drop=Estimate.of(int8.drop for _, int8 in pairs),
        bytes=Estimate.of(int8.bytes for _, int8 in pairs),
        p50_us=Estimate.of(int8.p50_us for _, int8 in pairs),
        float_p50_us=Estimate.of(trial.float_p50_us for trial, _ in pairs),
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
    "precision": lambda trial: 100 * trial.metrics["macro"]["precision"],
    "recall": lambda trial: 100 * trial.metrics["macro"]["recall"],
    "f1": lambda trial: 100 * trial.metrics["macro"]["f1"],
    "overfitting": _overfitting,
    "convergence_epoch": _convergence_epoch,
    "parameters": lambda trial: trial.parameters,
    # The first epoch also compiles the network; the median is not affected by it.
    "seconds_per_epoch": lambda trial: statistics.median(trial.history["seconds"]),
    "minutes": lambda trial: math.fsum(trial.history["seconds"]) / 60,
}
"""How each quantity of `edge_digits_study.definition.QUANTITIES` is computed from a trial."""
