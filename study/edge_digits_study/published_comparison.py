"""Every published accuracy compared with the measured one, and the systems of a study with the best of them.

Two rules decide whether a difference is larger than the spread over seeds, both at 95 % and both with Student's t.
Twice the standard deviation would be too little, since a standard deviation of three seeds is uncertain itself.

- A published figure is mostly from one training by the authors of the document. If their training were like ours, it
  would be one more seed, and one more seed lies within ``t(n - 1) * std * sqrt(1 + 1 / n)`` of the mean of n seeds: the
  prediction interval of a normal sample. The rounding in the document is not taken into account.
- Two systems of a study, each a mean over seeds, are compared by Welch's interval of the difference of two means.

With one seed there is no spread, and neither rule decides anything.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_digits_runtime.data.metrics import at_least
from scipy import stats

from edge_digits_study.definition import Published, Study, System
from edge_digits_study.formatting import NOT_RUN
from edge_digits_study.results import RESULTS, Results
from edge_digits_study.seed_summary import Estimate, SystemSummary, summarize
from edge_digits_study.studies import STUDIES

BEATEN, REACHED, WITHIN, NOT_REACHED = "beaten", "reached", "within spread", "not reached"
VERDICTS = {
    BEATEN: "the mean is above the published figure by more than the spread",
    REACHED: "the mean is at or above the published figure, but not by more than the spread, or there is one seed",
    WITHIN: "the mean is below the published figure, but not by more than the spread",
    NOT_REACHED: "the mean is below the published figure by more than the spread, or there is one seed",
    NOT_RUN: "nothing is trained",
}
"""Every verdict on a published figure, and what it means."""
ACCURACIES = ("test_accuracy", "validation_accuracy", "train_accuracy", "precision", "recall", "f1")
"""Names of `edge_digits_study.definition.QUANTITIES` that are compared: those where larger is better."""
LEVEL = 0.95
"""Confidence level of both rules."""


@dataclass(frozen=True)
class ComparedFigure:
    """A published figure and the measured one."""

    system: System
    quantity: str
    """Name of `edge_digits_study.definition.QUANTITIES`."""
    published: Published
    summary: SystemSummary | None
    """None if the system was not run."""

    @property
    def measured(self) -> Estimate | None:
        """The quantity over seeds; None if the system was not run."""
        return None if self.summary is None else self.summary.figures[self.quantity]

    @property
    def difference(self) -> float | None:
        """Measured mean minus published figure in percentage points; None if the system was not run."""
        return None if self.measured is None else self.measured.mean - self.published.value

    @property
    def beyond_spread(self) -> bool | None:
        """Whether the difference is larger than the spread over seeds; None with fewer than two seeds."""
        if self.measured is None or (reach := prediction_reach(self.measured)) is None:
            return None
        return abs(self.measured.mean - self.published.value) > reach

    @property
    def is_below(self) -> bool:
        """Whether the measured mean is below the published figure."""
        return self.verdict in (WITHIN, NOT_REACHED)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if self.difference is None:
            return NOT_RUN
        if at_least(self.difference, 0):
            return BEATEN if self.beyond_spread else REACHED
        return WITHIN if self.beyond_spread is False else NOT_REACHED


@dataclass(frozen=True)
class Rival:
    """A system compared with the best system of its study, by test accuracy."""

    summary: SystemSummary
    behind: float
    """Test accuracy of the best system minus that of this one in percentage points, at least 0."""
    beyond_spread: bool | None
    """Whether that is larger than the spread over seeds; None if one of the two has one seed."""
    published: float | None
    """The same difference from the document; None if the document lacks one of the two."""


@dataclass(frozen=True)
class StudyComparison:
    """The published and the measured figures of one study."""

    study: Study
    folder: Path
    """The folder of its ``results.json``, which need not exist."""
    figures: tuple[ComparedFigure, ...]
    """Every published figure once, in however many tables it is."""
    summaries: Mapping[str, SystemSummary]
    """Every system that was run, by name."""
    ranking: tuple[SystemSummary, ...]
    """The systems that were run, by falling test accuracy, without folds: these are one system on other pictures."""

    def published(self, system: str) -> float | None:
        """Return the published test accuracy of a system in percent; None if the document has none."""
        figures = (one for one in self.figures if one.quantity == "test_accuracy" and one.system.name == system)
        return next((one.published.value for one in figures), None)

    @property
    def rivals(self) -> tuple[Rival, ...]:
        """Every other system compared with the best one, the nearest first."""
        return tuple(self._rival(self.ranking[0], one) for one in self.ranking[1:])

    def _rival(self, best: SystemSummary, one: SystemSummary) -> Rival:
        accuracies = best.figures["test_accuracy"], one.figures["test_accuracy"]
        behind, reach = accuracies[0].mean - accuracies[1].mean, welch_reach(*accuracies)
        published = self.published(best.system.name), self.published(one.system.name)
        return Rival(
            one,
            behind,
            None if reach is None else behind > reach,
            None if published[0] is None or published[1] is None else published[0] - published[1],
        )


def compare(folders: Mapping[str, Path]) -> tuple[StudyComparison, ...]:
    """Compare published figures with the results in the folders.

    Args:
        folders: by name of a study, the folder of its ``results.json``; a study without that file was not run.

    Raises:
        KeyError: there is no study of that name.
        RunError: a ``results.json`` is damaged or holds another study.
    """
    comparisons = []
    for name, folder in folders.items():
        results = Results.load(folder, name) if (folder / RESULTS).exists() else Results(name, ())
        comparisons.append(compare_results(STUDIES[name], results, folder))
    return tuple(comparisons)


def compare_results(study: Study, results: Results, folder: Path) -> StudyComparison:
    """Compare the published figures of ``study`` with its results; ``folder`` is where these are."""
    summaries = summarize(study, results)
    published = {
        (row.system, quantity): figure
        for table in study.tables
        for row in table.rows
        for quantity, figure in row.published.items()
        if quantity in ACCURACIES
    }
    figures = (
        ComparedFigure(study.system(system), quantity, figure, summaries.get(system))
        for (system, quantity), figure in published.items()
    )
    ranking = sorted(
        (one for name, one in summaries.items() if name not in study.folds),
        key=lambda one: -one.figures["test_accuracy"].mean,
    )
    return StudyComparison(study, folder, tuple(figures), summaries, tuple(ranking))


def prediction_reach(estimate: Estimate) -> float | None:
    """Return the largest distance of one more seed from the mean, in 95 % of cases; None for one seed."""
    if estimate.std is None:
        return None
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, estimate.n - 1))
    return quantile * estimate.std * math.sqrt(1 + 1 / estimate.n)


def welch_reach(one: Estimate, other: Estimate) -> float | None:
    """Return half the width of Welch's 95 % interval of the difference of two means; None if one has one seed."""
    if one.std is None or other.std is None:
        return None
    if one.std == other.std == 0:
        return 0.0
    with warnings.catch_warnings():
        # scipy warns about equal values, which are exact here: shares of a few thousand pictures.
        warnings.simplefilter("ignore", RuntimeWarning)
        interval = stats.ttest_ind(one.values, other.values, equal_var=False).confidence_interval(LEVEL)
    return float(interval.high - interval.low) / 2
