"""The report for a terminal."""

import textwrap
from collections.abc import Iterator, Sequence

from edge_digits.formatting import NONE, counted, device_facts, joined, microseconds, percent, points
from edge_digits.report import tables
from edge_digits.report.structure import TITLE, Report, Row
from edge_digits.report.verdict import agreement, interval, verdict

WIDTH = 100
"""Largest number of characters in a line."""
_NAME_WIDTH = 32
_COLUMNS = ("model", "accuracy", "drop, pp (95 %)", "same", "bytes", "invoke µs", "file µs")
_REPORT_NAME_WIDTH = 23
_PLAIN = str.maketrans({"−": "-", "→": "->", "–": "-"})


def to_text(report: Report) -> str:
    """Return the verdict, where it was measured and the main table, in lines of at most 100 characters."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"{TITLE}: {report.data.name} {report.data.split}, {report.count:,} pictures"
    for family in report.families:
        words = verdict(family)
        yield ""
        yield from textwrap.wrap(plain(f"{words.title}: {words.headline}"), WIDTH)
        for sentence in words.sentences:
            yield from item(sentence)
    yield ""
    yield "Measured on"
    for row in report.rows:
        yield from item(f"{row.name}: {_where(row)}")
    yield ""
    yield from table(_COLUMNS, [_cells(row) for row in report.rows], _REPORT_NAME_WIDTH)
    yield from item("invoke: the interpreter alone; file: from a picture file to the answer; medians")
    if report.layers:
        yield ""
        yield "What int8 costs, layer by layer"
        for inspected in report.layers:
            worst = inspected.worst
            yield from item(
                f"{inspected.name}: of {counted(len(inspected.layers), 'layer')} {worst.layer} loses most, "
                f"{percent(worst.relative)} of its signal; the other forms have all"
            )
    if report.microcontrollers:
        yield ""
        yield "On microcontrollers, emulated"
        for record in report.microcontrollers:
            for figures in record.processors:
                yield from item(
                    f"{record.name}, {figures.processor}: {figures.flash_bytes:,} bytes of flash, "
                    f"{figures.ram_bytes:,} of RAM, {figures.instructions:,} instructions a picture"
                )
    if report.notes:
        yield ""
        yield "Notes"
        for note in report.notes:
            yield from item(note)


def _where(row: Row) -> str:
    """Return device and settings, and the spread of what was timed."""
    facts = device_facts(row.evaluation.device)
    where = joined(row.device, *(facts[name] for name in ("cores", "features") if facts[name] not in row.device))
    spreads = [
        f"{what} p90 {microseconds(latency.p90)}, p99 {microseconds(latency.p99)} µs"
        for what, latency in (("invoke", row.latency), ("file", row.file))
        if latency
    ]
    return "; ".join([joined(where, tables.settings(row)), *(spreads or ["accuracy only"])])


def item(text: str) -> list[str]:
    """Wrap ``text`` to lines of at most 100 characters, the first one indented and the others more."""
    return textwrap.wrap(plain(text), WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def plain(text: str) -> str:
    """Replace the characters that some terminals and pipes cannot encode."""
    return text.translate(_PLAIN)


def table(columns: Sequence[str], lines: Sequence[Sequence[str]], name_width: int = _NAME_WIDTH) -> Iterator[str]:
    """Yield headings, a rule and the lines; the first cell is aligned to the left, the others to the right.

    A first cell longer than ``name_width`` is wrapped.
    """
    body = [columns, *lines]
    names = [textwrap.wrap(line[0], name_width) for line in body]
    first = max(len(part) for name in names for part in name)
    widths = [max(map(len, column)) for column in list(zip(*body, strict=True))[1:]]
    for k, (name, (_, *values)) in enumerate(zip(names, body, strict=True)):
        yield "  ".join([name[0].ljust(first), *map(str.rjust, values, widths)])
        yield from name[1:]
        if k == 0:
            yield "-" * (first + sum(width + 2 for width in widths))


def _cells(row: Row) -> tuple[str, ...]:
    cells = (
        row.name,
        percent(row.evaluation.accuracy),
        f"{points(row.drop.drop_pp)} ({interval(row.drop)})" if row.drop else NONE,
        agreement(row.drop) if row.drop else NONE,
        f"{row.evaluation.model.bytes:,}",
        *(microseconds(latency.p50) if latency else NONE for latency in (row.latency, row.file)),
    )
    return tuple(map(plain, cells))
