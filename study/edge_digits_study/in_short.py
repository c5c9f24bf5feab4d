"""The first lines of the page of a study: the best system, chance, int8, latency, and what is missing.

Each function yields plain sentences without Markdown.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping

from edge_digits_runtime.data.metrics import at_least

from edge_digits.formatting import counted, microseconds, points
from edge_digits_study import formatting
from edge_digits_study.definition import SEEDS, Study
from edge_digits_study.published_comparison import VERDICTS, Rival, StudyComparison
from edge_digits_study.seed_summary import MAX_DROP_PP, SystemSummary

MAX_NAMED = 5
"""Largest number of systems that a sentence names as behind the best."""


def in_short(comparison: StudyComparison) -> Iterator[str]:
    """Yield one paragraph for each question."""
    yield " ".join([*best_system(comparison), *chance(comparison)])
    yield from figures(comparison)
    yield from int8(comparison.summaries.values())
    yield from latency(comparison.summaries.values())
    if left := missing(comparison.study, comparison.summaries):
        yield f"Missing: {'; '.join(left)}."


def best_system(comparison: StudyComparison) -> Iterator[str]:
    """Yield sentences about the best system of a study, and how far the others are behind it."""
    if not comparison.ranking:
        yield "No system was run."
        return
    best, rivals = comparison.ranking[0], comparison.rivals
    accuracy = formatting.measured(best.figures["test_accuracy"])
    yield f"Best: {formatting.named(best)} with {accuracy} % of the test pictures."
    for beyond, words in (
        (False, "Behind it, but not by more than the spread"),
        (None, "Behind it, with one seed and so without a known spread"),
        (True, "Behind it by more than the spread"),
    ):
        if group := [_behind(rival) for rival in rivals if rival.beyond_spread is beyond]:
            more = [f"{len(group) - MAX_NAMED} more"] if len(group) > MAX_NAMED else []
            yield f"{words}: {'; '.join(group[:MAX_NAMED] + more)}."
    if not rivals:
        yield "No other system was run."
    published = {
        figure.system.title: figure.published.value
        for figure in comparison.figures
        if figure.quantity == "test_accuracy"
    }
    if len(published) > 1:
        title = max(published, key=lambda name: published[name])
        yield f"Best in the document: {title} with {published[title]:g} %."


def chance(comparison: StudyComparison) -> Iterator[str]:
    """Yield a sentence about chance if the best system has one seed: how far apart the seeds of the nearest one are."""
    if not comparison.ranking or len(comparison.ranking[0].trials) > 1:
        return
    best = comparison.ranking[0].figures["test_accuracy"].mean
    repeated = [one for one in comparison.ranking if len(one.trials) > 1]
    if not repeated:
        yield "Every system has one seed, so no difference is known to be more than chance."
        return
    nearest = min(repeated, key=lambda one: abs(best - one.figures["test_accuracy"].mean))
    values = nearest.figures["test_accuracy"].values
    reach = max(values) - min(values)
    close = sum(at_least(reach, best - one.figures["test_accuracy"].mean) for one in comparison.ranking[1:])
    yield (
        f"The best has one seed. The {len(values)} seeds of {nearest.system.title} alone are {points(reach)} pp apart, "
        f"and {counted(close, 'system')} {'is' if close == 1 else 'are'} no further than that behind the best: which "
        "of these is best is not known."
    )


def figures(comparison: StudyComparison) -> Iterator[str]:
    """Yield a sentence with the number of published figures for each verdict."""
    if comparison.figures:
        verdicts = [figure.verdict for figure in comparison.figures]
        parts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS if verdict in verdicts)
        yield f"Published accuracies, {len(verdicts)} in all: {parts}."


def int8(summaries: Iterable[SystemSummary]) -> Iterator[str]:
    """Yield what int8 costs in accuracy, and which systems lose more than they may."""
    drops = [(one.system.title, one.int8.drop.mean) for one in summaries if one.int8 is not None]
    if not drops:
        return
    over = [(title, drop) for title, drop in drops if not at_least(MAX_DROP_PP, drop)]
    kept = len(drops) - len(over)
    words = (
        f"int8 costs at most {MAX_DROP_PP:.2f} pp, as a mean over the seeds, for {kept} of "
        f"{counted(len(drops), 'system')} (median {points(statistics.median(drop for _, drop in drops))} pp)"
    )
    more = "; ".join(f"{title}, {points(drop)} pp" for title, drop in over)
    yield f"{words}. More: {more}." if over else f"{words}."


def latency(summaries: Iterable[SystemSummary]) -> Iterator[str]:
    """Yield how long one picture takes in int8, fastest and slowest system, and on which device."""
    converted = [(one.int8.p50_us.mean, one) for one in summaries if one.int8 is not None]
    if not converted:
        return
    (fast, first), (slow, last) = (choose(converted, key=lambda pair: pair[0]) for choose in (min, max))
    devices = dict.fromkeys(
        formatting.device(trial.int8.device) for _, one in converted for trial in one.trials if trial.int8 is not None
    )
    span = f"{microseconds(fast)} µs ({first.system.title})"
    if first is not last:
        span += f" to {microseconds(slow)} µs ({last.system.title})"
    yield f"int8 takes {span} for one picture: median, one thread of {'; '.join(devices)}."


def missing(study: Study, summaries: Mapping[str, SystemSummary]) -> list[str]:
    """Return what is not trained yet: systems, epochs of the document, and seeds of `Study.repeated`."""
    left = []
    for system in study.systems:
        one = summaries.get(system.name)
        wanted = range(SEEDS) if system.name in study.repeated else range(1)
        if one is None:
            left.append(f"{system.title}")
        elif one.epochs < one.document_epochs:
            left.append(f"{system.title}, {one.document_epochs} epochs instead of {one.epochs}")
        elif len(one.trials) < len(wanted):
            seeds = [str(seed) for seed in wanted if seed not in one.seeds]
            left.append(f"{system.title}, {'seed' if len(seeds) == 1 else 'seeds'} {' and '.join(seeds)}")
    return left


def _behind(rival: Rival) -> str:
    published = "" if rival.published is None else f", published {points(rival.published)}"
    return f"{formatting.named(rival.summary)} by {points(rival.behind)} pp{published}"
