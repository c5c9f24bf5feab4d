"""The page about all studies: what they say together, every published accuracy with the measured one, and the best
system of each study."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_digits_runtime.data.metrics import at_least

from edge_digits.formatting import NONE, points
from edge_digits.report import markdown, text
from edge_digits.report.markdown import escaped
from edge_digits.report.tables import Cell, Table
from edge_digits_study import formatting, together
from edge_digits_study.formatting import NOT_CONVERTED
from edge_digits_study.in_short import best_system
from edge_digits_study.published_comparison import LEVEL, VERDICTS, ComparedFigure, StudyComparison
from edge_digits_study.seed_summary import MAX_DROP_PP, SystemSummary
from edge_digits_study.study_page import PAGE
from edge_digits_study.together import FAMILY_TITLE, Model

FIGURE = "together.png"
"""File of the figure, next to the page."""

_NAME_WIDTH = 20
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
# A terminal is not wide enough for all columns, nor for every ±.
_TEXT_COLUMNS = tuple(name for name in _COLUMNS if name not in ("> spread", "int8, %"))
_WITHOUT_SPREAD = "published", "drop, pp"


def to_text(comparisons: Sequence[StudyComparison]) -> str:
    """Return the page for a terminal."""
    return "\n".join(_text(comparisons))


def to_markdown(comparisons: Sequence[StudyComparison], folder: Path, family: Sequence[Model] = ()) -> str:
    """Return the page as GitHub Flavored Markdown.

    Args:
        comparisons: the studies.
        folder: folder of the page: links to the pages of the studies are relative to it, and the figure is shown if
            it is there.
        family: models to be compared with the systems of the studies, see `edge_digits_study.together.family`.
    """
    return "\n".join(_markdown(comparisons, folder, family)).rstrip() + "\n"


def draw(comparisons: Sequence[StudyComparison], folder: Path, family: Sequence[Model] = ()) -> None:
    """Draw the figure of the page into ``folder``, if a system was run."""
    from edge_digits_study import plots

    groups = {one.study.title: models for one in comparisons if (models := together.systems([one]))}
    if family:
        groups[FAMILY_TITLE] = tuple(family)
    if groups:
        plots.sizes(folder / FIGURE, groups)


def _text(comparisons: Sequence[StudyComparison]) -> Iterator[str]:
    for comparison in comparisons:
        yield text.plain(f"{comparison.study.title} ({comparison.study.name})")
        yield from text.table(_TEXT_COLUMNS, [_text_cells(figure) for figure in comparison.figures], _NAME_WIDTH)
        for sentence in best_system(comparison):
            yield from text.item(sentence)
        yield ""
    yield from text.item(_totals(comparisons))
    yield from text.item(
        "Differences and drops are in percentage points; n: seeds; epochs: trained, or trained/in the document."
    )
    for verdict, meaning in VERDICTS.items():
        yield from text.item(f"{verdict}: {meaning}")


def _markdown(comparisons: Sequence[StudyComparison], folder: Path, family: Sequence[Model]) -> Iterator[str]:
    yield "# What the studies say together"
    yield ""
    yield "Made by `edge-digits study compare --out FILE`."
    yield ""
    yield f"**{_totals(comparisons)}**"
    yield ""
    models = together.systems(comparisons)
    yield from (f"- {escaped(sentence)}" for sentence in together.sentences(comparisons, models, family))
    yield ""
    if (folder / FIGURE).exists():
        yield f"![Test accuracy against parameters, multiply-accumulates and bytes]({FIGURE})"
        yield ""
        yield (
            "Every system of the studies, and the models beside them: mean test accuracy over the seeds, on a scale of "
            "the share of wrong answers, so that differences near 100 % can be seen. The bytes of a float original are "
            "those of its float32 parameters."
        )
        yield ""
    if models:
        yield "## All systems"
        yield ""
        yield from markdown.table(_sizes([*models, *family]))
    yield "## Published and measured"
    yield ""
    yield (
        "Measured accuracies are means over n seeds ± their standard deviation, and differences are in percentage "
        "points. Where the number of epochs differs from that of the document, the column has both, as in 20/100."
    )
    yield ""
    yield (
        f"A difference is larger than the spread if the published figure lies outside the {100 * LEVEL:.0f} % "
        "prediction interval of one more seed, t(n − 1) · std · √(1 + 1/n). The reason: a published figure is mostly "
        "from one training, and the standard deviation of a few seeds is uncertain itself. The rounding in the "
        "documents is not taken into account."
    )
    yield ""
    yield (
        f"Two systems are compared by Welch's {100 * LEVEL:.0f} % interval. It does not take into account that the "
        "best of many systems is the best partly by luck."
    )
    yield ""
    yield from (f"- **{verdict}**: {meaning}" for verdict, meaning in VERDICTS.items())
    yield ""
    for comparison in comparisons:
        yield f"### {_link(comparison, folder)}"
        yield ""
        lines = (tuple(map(Cell, _cells(figure))) for figure in comparison.figures)
        yield from markdown.table(Table(_COLUMNS, tuple(lines)))
        yield escaped(" ".join(best_system(comparison)))
        yield ""


def _sizes(models: Sequence[Model]) -> Table:
    """Return size and accuracy of every model, by falling int8 accuracy."""
    columns = ("system", "study", "parameters", "MACs", "float, %", "int8, %", "int8 bytes", "seeds")
    ranked = sorted(models, key=lambda model: -(model.int8_accuracy or 0))
    lines = (
        (
            model.name,
            model.group,
            f"{model.parameters:,}",
            f"{model.macs:,}",
            f"{model.float_accuracy:.2f}",
            NOT_CONVERTED if model.int8_accuracy is None else f"{model.int8_accuracy:.2f}",
            NOT_CONVERTED if model.int8_bytes is None else f"{model.int8_bytes:,.0f}",
            str(model.seeds),
        )
        for model in ranked
    )
    return Table(columns, tuple(tuple(map(Cell, line)) for line in lines))


def _text_cells(figure: ComparedFigure) -> tuple[str, ...]:
    cells = dict(zip(_COLUMNS, _cells(figure), strict=True))
    cells |= {name: cells[name].partition(" ±")[0] for name in _WITHOUT_SPREAD}
    return tuple(text.plain(cells[name]) for name in _TEXT_COLUMNS)


def _cells(figure: ComparedFigure) -> tuple[str, ...]:
    summary, measured, difference = figure.summary, figure.measured, figure.difference
    name = formatting.accuracy_name(figure.quantity)
    published = formatting.published(figure.published, figure.quantity)
    if summary is None or measured is None or difference is None:
        return (figure.system.title, name, published, *[NONE] * 5, figure.verdict, NONE, NONE)
    return (
        figure.system.title,
        name,
        published,
        formatting.measured(measured),
        str(measured.n),
        formatting.short_epochs(summary),
        points(difference, signed=True),
        {None: "one seed", True: "yes", False: "no"}[figure.beyond_spread],
        figure.verdict,
        *_int8(summary, figure.quantity),
    )


def _int8(summary: SystemSummary, quantity: str) -> tuple[str, str]:
    """Return accuracy and drop of int8 next to a test accuracy; next to others dashes, since int8 has no others."""
    if quantity != "test_accuracy":
        return NONE, NONE
    if summary.int8 is None:
        return NOT_CONVERTED, NONE
    return formatting.measured(summary.int8.accuracy), formatting.measured(summary.int8.drop)


def _totals(comparisons: Sequence[StudyComparison]) -> str:
    verdicts = Counter(figure.verdict for comparison in comparisons for figure in comparison.figures)
    parts = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict])
    converted = [one.int8 for comparison in comparisons for one in comparison.summaries.values() if one.int8]
    kept = sum(at_least(MAX_DROP_PP, int8.drop.mean) for int8 in converted)
    words = f"Of {verdicts.total()} published figures: {parts}."
    if converted:
        words += f" The int8 drop is at most {MAX_DROP_PP:.2f} pp for {kept} of {len(converted)} systems."
    return words


def _link(comparison: StudyComparison, folder: Path) -> str:
    """Return the title, as a link if the study has a page."""
    page = comparison.folder / PAGE
    title = escaped(comparison.study.title)
    return f"[{title}]({Path(os.path.relpath(page, folder)).as_posix()})" if page.exists() else title
