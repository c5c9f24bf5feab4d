"""All studies on one page: every published accuracy beside the measured one, and who wins within each study.

Two rules say whether a difference is larger than the spread over seeds, both at 95 % and both with Student's t, since
a standard deviation of three seeds is itself uncertain; twice the standard deviation would be too little for so few.

- A published figure is mostly one training of the document's authors. If theirs were no other than ours, it would be
  one more seed, and such a seed lies within ``t(n - 1) * std * sqrt(1 + 1 / n)`` of the mean of n (the prediction
  interval of a normal sample). That the document rounds is not counted.
- Two systems of a study, each a mean over seeds, are compared by Welch's interval of the difference of two means.

With one seed there is no spread, and neither rule says anything.
"""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_digits_runtime.data.metrics import at_least
from scipy import stats

from edge_digits.report import markdown, text
from edge_digits.report.markdown import escaped
from edge_digits.report.tables import Cell, Table
from edge_digits.report.wording import NONE, points
from edge_digits_study import labels
from edge_digits_study.labels import NOT_CONVERTED, NOT_RUN
from edge_digits_study.page import PAGE
from edge_digits_study.plan import QUANTITIES, Published, Study, System
from edge_digits_study.results import RESULTS, Results
from edge_digits_study.seed_summary import MAX_DROP_PP, Figure, Measured, measure
from edge_digits_study.studies import STUDIES

BEATEN, REACHED, WITHIN, NOT_REACHED = "beaten", "reached", "within spread", "not reached"
VERDICTS = {
    BEATEN: "the mean lies above the published figure by more than the spread",
    REACHED: "at it or above it, but not by more than the spread, or with one seed",
    WITHIN: "below it, but not by more than the spread",
    NOT_REACHED: "below it by more than the spread, or with one seed",
    NOT_RUN: "no training is done",
}
"""What is said of a published figure, and when."""
ACCURACIES = ("test_accuracy", "validation_accuracy", "train_accuracy", "precision", "recall", "f1")
"""Names of `edge_digits_study.plan.QUANTITIES` that are compared: those of which more is better."""
LEVEL = 0.95
LISTED = 5
"""Most systems that are named as behind the best."""
_NAME_WIDTH = 20


@dataclass(frozen=True)
class Line:
    """One published figure beside what was measured."""

    system: System
    quantity: str
    """Name of `edge_digits_study.plan.QUANTITIES`."""
    published: Published
    measured: Measured | None
    """None where the system was not run."""

    @property
    def figure(self) -> Figure | None:
        """The quantity over seeds."""
        return None if self.measured is None else self.measured.figures[self.quantity]

    @property
    def difference(self) -> float | None:
        """Mean measured minus published, in percentage points."""
        return None if self.figure is None else self.figure.mean - self.published.value

    @property
    def beyond_spread(self) -> bool | None:
        """Whether the difference is larger than the spread over seeds; None with one seed or none."""
        if self.figure is None or (reach := prediction_reach(self.figure)) is None:
            return None
        return abs(self.figure.mean - self.published.value) > reach

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
    """A system against the best of its study, by test accuracy."""

    measured: Measured
    behind: float
    """Test accuracy of the best minus its own, in percentage points; at least 0."""
    beyond_spread: bool | None
    """Whether that is larger than the spread over seeds; None where one of the two has one seed."""
    published: float | None
    """The same difference as the document has it; None where it lacks one of the two."""


@dataclass(frozen=True)
class Standing:
    """One study."""

    study: Study
    folder: Path
    """Where its results are, or would be."""
    lines: tuple[Line, ...]
    """One for each published figure, however many tables it is in."""
    measured: Mapping[str, Measured]
    """Every system that was run, by name."""
    ranking: tuple[Measured, ...]
    """The systems that were run, by falling test accuracy; folds, which are one system on other pictures, left out."""

    def published(self, system: str) -> float | None:
        """Test accuracy that the document has of a system, in percent."""
        lines = (line for line in self.lines if line.quantity == "test_accuracy" and line.system.name == system)
        return next((line.published.value for line in lines), None)

    @property
    def rivals(self) -> tuple[Rival, ...]:
        """Every system but the best against that, the nearest first."""
        return tuple(self._rival(self.ranking[0], one) for one in self.ranking[1:])

    def _rival(self, best: Measured, one: Measured) -> Rival:
        figures = best.figures["test_accuracy"], one.figures["test_accuracy"]
        behind, reach = figures[0].mean - figures[1].mean, difference_reach(*figures)
        published = self.published(best.system.name), self.published(one.system.name)
        return Rival(
            one,
            behind,
            None if reach is None else behind > reach,
            None if published[0] is None or published[1] is None else published[0] - published[1],
        )


def compare(folders: Mapping[str, Path]) -> tuple[Standing, ...]:
    """Set what is in the folders against what was published.

    Args:
        folders: by name of a study, the folder with its ``results.json``; a study whose file is not there was not run.

    Raises:
        KeyError: there is no study of that name.
        RunError: a ``results.json`` is damaged.
    """
    return tuple(_standing(STUDIES[name], folder) for name, folder in folders.items())


def prediction_reach(figure: Figure) -> float | None:
    """How far one more seed lies from the mean at most, in 95 % of cases; None for one seed."""
    if figure.std is None:
        return None
    return float(stats.t.ppf((1 + LEVEL) / 2, figure.n - 1)) * figure.std * math.sqrt(1 + 1 / figure.n)


def difference_reach(one: Figure, other: Figure) -> float | None:
    """Half of Welch's 95 % interval of the difference of two means; None where one has one seed."""
    if one.std is None or other.std is None:
        return None
    first, second = one.std**2 / one.n, other.std**2 / other.n
    if not first + second:
        return 0.0
    freedom = (first + second) ** 2 / (first**2 / (one.n - 1) + second**2 / (other.n - 1))
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(first + second)


def to_text(standings: Sequence[Standing]) -> str:
    """The page for a terminal."""
    return "\n".join(_text(standings))


def to_markdown(standings: Sequence[Standing], folder: Path) -> str:
    """The page as GitHub's Markdown, with links to the pages of the studies as seen from ``folder``."""
    return "\n".join(_markdown(standings, folder)).rstrip() + "\n"


def _standing(study: Study, folder: Path) -> Standing:
    results = Results.load(folder) if (folder / RESULTS).exists() else Results(study.name, ())
    measured = measure(study, results)
    published = {
        (row.system, quantity): figure
        for table in study.tables
        for row in table.rows
        for quantity, figure in row.published.items()
        if quantity in ACCURACIES
    }
    lines = (
        Line(study.system(system), quantity, figure, measured.get(system))
        for (system, quantity), figure in published.items()
    )
    ranking = sorted(
        (one for name, one in measured.items() if name not in study.folds),
        key=lambda one: -one.figures["test_accuracy"].mean,
    )
    return Standing(study, folder, tuple(lines), measured, tuple(ranking))


def _text(standings: Sequence[Standing]) -> Iterator[str]:
    for standing in standings:
        yield text.plain(f"{standing.study.title} ({standing.study.name})")
        yield from text.table(_TEXT_COLUMNS, [_text_cells(line) for line in standing.lines], _NAME_WIDTH)
        for sentence in _who_wins(standing):
            yield from text.item(sentence)
        yield ""
    yield from text.item(_totals(standings))
    yield from text.item("Differences and drops are in percentage points; n seeds; epochs: trained/document's.")
    for verdict, meaning in VERDICTS.items():
        yield from text.item(f"{verdict}: {meaning}")


def _markdown(standings: Sequence[Standing], folder: Path) -> Iterator[str]:
    yield "# Published and measured"
    yield ""
    yield "Made by `edge-digits study compare --out FILE`."
    yield ""
    yield f"**{_totals(standings)}**"
    yield ""
    yield (
        "Accuracies are means over seeds ± their standard deviation, n seeds, differences in percentage points; "
        "where other epochs were trained than the document says, both numbers stand, as 20/100. A "
        f"difference is larger than the spread where the published figure lies outside the {100 * LEVEL:.0f} % "
        "prediction interval of one more seed, t(n − 1) · std · √(1 + 1/n): a published figure is mostly one training, "
        "and a standard deviation of few seeds is itself uncertain. That documents round is not counted. Two systems "
        f"are told apart by Welch's {100 * LEVEL:.0f} % interval; that the best of many is so partly by luck is not "
        "counted."
    )
    yield ""
    yield from (f"- {verdict}: {meaning}" for verdict, meaning in VERDICTS.items())
    yield ""
    for standing in standings:
        yield f"## {_link(standing, folder)}"
        yield ""
        lines = (tuple(map(Cell, _cells(line))) for line in standing.lines)
        yield from markdown.table(Table(_COLUMNS, tuple(lines)))
        yield escaped(" ".join(_who_wins(standing)))
        yield ""


_COLUMNS = (
    "system",
    "accuracy, %",
    "published",
    "measured",
    "n",
    "epochs",
    "diff.",
    "> spread",
    "verdict",
    "int8, %",
    "drop, pp",
)


# A terminal has no room for all of it.
_TEXT_COLUMNS = tuple(name for name in _COLUMNS if name not in ("> spread", "int8, %"))
_WITHOUT_SPREAD = "published", "drop, pp"


def _text_cells(line: Line) -> tuple[str, ...]:
    cells = dict(zip(_COLUMNS, _cells(line), strict=True))
    cells |= {name: cells[name].partition(" ±")[0] for name in _WITHOUT_SPREAD}
    return tuple(text.plain(cells[name]) for name in _TEXT_COLUMNS)


def _cells(line: Line) -> tuple[str, ...]:
    one, figure, difference = line.measured, line.figure, line.difference
    name = QUANTITIES[line.quantity].removesuffix(", %").removesuffix(" accuracy").removeprefix("macro ")
    published = labels.published(line.published, line.quantity)
    if one is None or figure is None or difference is None:
        return (line.system.title, name, published, *[NONE] * 5, line.verdict, NONE, NONE)
    return (
        line.system.title,
        name,
        published,
        labels.measured(figure),
        str(figure.n),
        _epochs(one),
        points(difference, signed=True),
        {None: "one seed", True: "yes", False: "no"}[line.beyond_spread],
        line.verdict,
        *_int8(one, line.quantity),
    )


def _epochs(one: Measured) -> str:
    return str(one.epochs) if one.epochs == one.wanted_epochs else f"{one.epochs}/{one.wanted_epochs}"


def _int8(one: Measured, quantity: str) -> tuple[str, str]:
    """Accuracy and drop of int8, beside the test accuracy alone: no other is measured of it."""
    if quantity != "test_accuracy":
        return NONE, NONE
    if one.quantized is None:
        return NOT_CONVERTED, NONE
    return labels.measured(one.quantized.accuracy), labels.measured(one.quantized.drop)


def _who_wins(standing: Standing) -> Iterator[str]:
    if not standing.ranking:
        yield "No system was run."
        return
    best, rivals = standing.ranking[0], standing.rivals
    yield f"Best: {_named(best)} with {labels.measured(best.figures['test_accuracy'])} % of the test pictures."
    for beyond, words in (
        (False, "Not behind it by more than the spread"),
        (None, "Behind it, with one seed, so that nothing is known of the spread"),
        (True, "Behind it by more than the spread"),
    ):
        if group := [_behind(rival) for rival in rivals if rival.beyond_spread is beyond]:
            more = [f"{len(group) - LISTED} more"] if len(group) > LISTED else []
            yield f"{words}: {'; '.join(group[:LISTED] + more)}."
    if not rivals:
        yield "No other system was run."
    published = {line.system.title: line.published.value for line in standing.lines if line.quantity == "test_accuracy"}
    if len(published) > 1:
        title = max(published, key=lambda name: published[name])
        yield f"The document's best: {title} with {published[title]:g} %."


def _named(one: Measured) -> str:
    return one.system.title + (f" ({_epochs(one)} epochs)" if one.epochs != one.wanted_epochs else "")


def _behind(rival: Rival) -> str:
    published = "" if rival.published is None else f", published {points(rival.published)}"
    return f"{_named(rival.measured)} by {points(rival.behind)} pp{published}"


def _totals(standings: Sequence[Standing]) -> str:
    verdicts = Counter(line.verdict for standing in standings for line in standing.lines)
    parts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict])
    converted = [one.quantized for standing in standings for one in standing.measured.values() if one.quantized]
    kept = sum(at_least(MAX_DROP_PP, quantized.drop.mean) for quantized in converted)
    words = f"Of {verdicts.total()} published figures: {parts}."
    if converted:
        words += f" The int8 drop is at most {MAX_DROP_PP:.2f} pp for {kept} of {len(converted)} systems."
    return words


def _link(standing: Standing, folder: Path) -> str:
    """The title, as a link where the study has its page."""
    page = standing.folder / PAGE
    title = escaped(standing.study.title)
    return f"[{title}]({Path(os.path.relpath(page, folder)).as_posix()})" if page.exists() else title
