"""A report as one Markdown file: tables and sentences without figures, to be pasted anywhere."""

import re
from collections.abc import Iterator, Sequence

from edge_digits.formatting import percent
from edge_digits.report import tables
from edge_digits.report.structure import TITLE, Comparison, Family, Report, Row, class_word
from edge_digits.report.tables import LAYERS_EXPLAINED, Cell, Table
from edge_digits.report.verdict import agreement, verdict

MAX_CHANGES = 60
"""Largest number of changed answers that are listed for one comparison; the JSON has all."""


def to_markdown(report: Report) -> str:
    """Return the report as GitHub Flavored Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {TITLE}"
    yield ""
    yield f"{escaped(report.data.name)} {report.data.split}, {report.count:,} pictures."
    yield ""
    for family in report.families:
        words = verdict(family)
        yield f"**{escaped(words.title)}: {escaped(words.headline)}.** " + escaped(" ".join(words.sentences))
        yield ""
    for gate in report.gates:
        yield f"- {escaped(str(gate))}"
    if report.gates:
        yield ""
    yield "## Where and how it was measured"
    yield ""
    yield from table(tables.measured(report.rows))
    yield "## What was measured"
    yield ""
    yield from table(tables.summary(report.rows))
    yield (
        "The drop is counted from the float original of the same weights, with its 95 % interval for paired samples "
        "and the p value of the exact McNemar test; **bold** if both say that it is more than chance."
    )
    yield ""
    if report.notes:
        yield "## Notes"
        yield ""
        yield from (f"- {escaped(note)}" for note in report.notes)
        yield ""
    for family in report.families:
        yield from _family(family)
    for record in report.layers:
        yield f"## What int8 costs {escaped(record.name)}, layer by layer"
        yield ""
        yield from table(tables.layers(record))
        yield f"{LAYERS_EXPLAINED} Over {record.pictures:,} validation pictures."
        yield ""
    if read_wheels := tables.wheels(report.rows):
        yield "## Wheels and displays"
        yield ""
        yield from table(read_wheels)
    if on_microcontrollers := tables.microcontrollers(report.microcontrollers):
        yield "## Microcontrollers"
        yield ""
        yield from table(on_microcontrollers)
    yield "## What else was timed"
    yield ""
    for optional in (tables.parts(report.rows), tables.threads(report.rows)):
        if optional:
            yield from table(optional)


def _family(family: Family) -> Iterator[str]:
    yield f"## {escaped(family.title)}"
    yield ""
    for steps in family.breakdowns:
        yield f"### From {escaped(steps[0].before.name)} to {escaped(steps[-1].after.name)}"
        yield ""
        yield from table(tables.breakdown(steps))
    for comparison in family.comparisons:
        yield from _comparison(comparison)
    yield "### Confidence"
    yield ""
    yield from table(tables.reliability(family.rows))
    if family.rows[0].evaluation.of_lines:
        return
    yield "### Confusion"
    yield ""
    for row in family.rows:
        if row.name not in family.same_answers:
            yield from _confusion(row)


def _confusion(row: Row) -> Iterator[str]:
    classes = row.evaluation.shown
    if len(classes) <= tables.MANY_CLASSES:
        yield f"{escaped(row.name)}: each line is a true {class_word(classes)}, each column an answer."
        yield ""
        yield from table(tables.confusion(row))
    elif (mistakes := tables.mistakes(row)).lines:
        yield f"{escaped(row.name)}: the most frequent mistakes; report.json has the whole matrix."
        yield ""
        yield from table(mistakes)
    else:
        yield f"{escaped(row.name)}: no mistakes."
        yield ""


def _comparison(comparison: Comparison) -> Iterator[str]:
    paired = comparison.paired
    yield f"### {escaped(comparison.before.name)} and {escaped(comparison.after.name)}, picture by picture"
    yield ""
    yield (
        f"The same answer to {agreement(paired)} of the pictures; {paired.changed:,} of {paired.count:,} differ: "
        f"{paired.lost:,} right → wrong, {paired.won:,} wrong → right, {paired.wrong_in_another_way:,} "
        "wrong in another way."
    )
    yield ""
    if not comparison.before.evaluation.of_lines:
        yield from table(tables.recall(comparison))
    if comparison.changes:
        yield from table(_changes(comparison))
        if len(comparison.changes) > MAX_CHANGES:
            yield f"The first {MAX_CHANGES} of {len(comparison.changes):,} changed answers; report.json has all."
            yield ""


def _changes(comparison: Comparison) -> Table:
    return Table(
        ("picture", "truth", "before", "after"),
        tuple(
            (
                Cell(str(change.index)),
                Cell(change.truth),
                Cell(change.before, (percent(change.before_confidence, 1),)),
                Cell(change.after, (percent(change.after_confidence, 1),)),
            )
            for change in comparison.changes[:MAX_CHANGES]
        ),
    )


def table(content: Table) -> Iterator[str]:
    """Yield the lines of a table and an empty one after it; cells whose tone is not plain are bold."""
    yield _line(content.columns)
    yield _line(["---"] + ["---:"] * (len(content.columns) - 1))
    for cells in content.lines:
        yield _line([_cell(cell) for cell in cells])
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.tone != "plain":
        text = f"**{text}**"
    details = ", ".join(detail for detail in cell.details if detail)
    return f"{text} ({escaped(details)})" if details else text


def escaped(text: str) -> str:
    """Escape ``text`` so that Markdown shows it as it is, on one line."""
    text = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
    return re.sub(r"([\\`*_|\[\]])", r"\\\1", text)
