"""The tables of a report, shared by all its forms: a cell says the same wherever it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from edge_digits_runtime.data.metrics import class_metrics
from edge_digits_runtime.records.layers import ROUNDING, LayerRecord
from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord
from edge_digits_runtime.records.timings import Latency

from edge_digits.formatting import (
    NONE,
    counted,
    device_facts,
    joined,
    megabytes,
    microseconds,
    p_value,
    percent,
    points,
    smaller,
    speed,
    than,
    utc,
)
from edge_digits.report.breakdown import step
from edge_digits.report.structure import Comparison, Row, Step, class_word
from edge_digits.report.verdict import ROLE_WORDS, agreement, causes, interval, tone

MANY_CLASSES = 20
"""With more classes a confusion matrix is no longer read at a glance: the most frequent mistakes are listed."""
MOST_MISTAKES = 20
"""Largest number of kinds of mistakes that are listed."""
LAYERS_EXPLAINED = (
    "Each layer is computed in int8 and in float on the same input, what the int8 layers in front of it give; so its "
    f"error is what it adds itself. Rounding alone makes {ROUNDING:.2f} of a step."
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    details: tuple[str, ...] = ()
    """Details in smaller type, one for each line."""
    tone: str = "plain"
    """``bad`` for a loss and ``good`` for a gain beyond chance, else ``plain``."""


@dataclass(frozen=True)
class Table:
    """Headings and lines of cells; the first cell of a line is its name."""

    columns: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]


def summary(rows: Sequence[Row]) -> Table:
    """Return the main table: accuracy, drop, size and speed of each row."""
    columns = (
        "model",
        "measured on",
        "accuracy",
        "drop, pp",
        "same answers",
        "bytes",
        "µs an invocation",
        "µs picture file → answer",
        "peak memory",
    )
    return Table(columns, tuple(_summary_line(row) for row in rows))


def _summary_line(row: Row) -> tuple[Cell, ...]:
    model, drop, like = row.evaluation.model, row.drop, row.float_tflite
    return (
        Cell(row.label, (ROLE_WORDS[row.role],)),
        Cell(row.device, (settings(row),)),
        _accuracy_cell(row),
        Cell(points(drop.drop_pp), (interval(drop), p_value(drop.p_value)), tone(drop)) if drop else Cell(NONE),
        Cell(agreement(drop), (f"{drop.changed:,} differ",)) if drop else Cell(NONE),
        Cell(f"{model.bytes:,}", (than(smaller(row.bytes_ratio), "Keras"),) if row.bytes_ratio else ()),
        _latency_cell(row.latency, like.latency_ratio if like else None),
        _latency_cell(row.file, like.file_ratio if like else None),
        Cell(megabytes(row.evaluation.peak_memory_bytes)),
    )


def _accuracy_cell(row: Row) -> Cell:
    """Return the share of right answers, of lines that of wrong characters, and what was sure and wrong."""
    evaluation = row.evaluation
    details = []
    if evaluation.character_error_rate is not None:
        details.append(f"{percent(evaluation.character_error_rate)} of the characters wrong")
    if evaluation.silently_wrong is not None:
        details.append(f"{percent(evaluation.silently_wrong)} sure and wrong")
    return Cell(percent(evaluation.accuracy), tuple(details))


def _latency_cell(latency: Latency | None, ratio: float | None) -> Cell:
    """Return median and spread of a latency, and how it compares with that of float TFLite on the same device."""
    if latency is None:
        return Cell(NONE)
    spread = f"p90 {microseconds(latency.p90)}, p99 {microseconds(latency.p99)}"
    return Cell(microseconds(latency.p50), (spread, than(speed(ratio), "float32")) if ratio else (spread,))


def settings(row: Row) -> str:
    """Return backend and threads that a row was measured with, as far as its evaluation says; else an empty string."""
    device = row.evaluation.device
    threads = device.get("threads")
    parts = [str(device["backend"])] if device.get("backend") else []
    parts += [counted(threads, "thread")] if threads else []
    return ", ".join(parts)


def breakdown(steps: Sequence[Step]) -> Table:
    """Return the steps of a breakdown, and below them the whole difference if there is more than one step."""
    columns = (
        "what changes",
        "from",
        "to",
        "drop, pp",
        "same answers",
        "largest probability change",
        "bytes",
        "µs an invocation",
    )
    lines = [_step_line(part, causes(part.causes)) for part in steps]
    if len(steps) > 1:
        lines.append(_step_line(step(steps[0].before, steps[-1].after), "all together"))
    return Table(columns, tuple(lines))


def _step_line(part: Step, what: str) -> tuple[Cell, ...]:
    before, after = part.before, part.after
    return (
        Cell(what),
        Cell(before.label, (before.device,)),
        Cell(after.label, (after.device,)),
        Cell(points(part.paired.drop_pp), (interval(part.paired), p_value(part.paired.p_value)), tone(part.paired)),
        Cell(agreement(part.paired), (f"{part.paired.changed:,} differ",)),
        Cell(f"{part.largest_difference:.5f}"),
        Cell(smaller(part.bytes_ratio)),
        _speed_cell(part),
    )


def _speed_cell(part: Step) -> Cell:
    before, after, ratio = part.before.latency, part.after.latency, part.latency_ratio
    if before is None or after is None or ratio is None:
        return Cell(NONE)
    return Cell(speed(ratio), (f"{microseconds(before.p50)} → {microseconds(after.p50)}",))


def recall(comparison: Comparison) -> Table:
    """Return the recall of each class before and after."""
    before, after = (class_metrics(row.confusion) for row in (comparison.before, comparison.after))
    classes = comparison.before.evaluation.shown
    columns = (
        class_word(classes),
        "pictures",
        "recall before",
        "after",
        "drop, pp",
        "right → wrong",
        "wrong → right",
    )
    return Table(
        columns,
        tuple(
            (
                Cell(name),
                Cell(f"{before.support[k]:,}"),
                Cell(percent(before.recall[k])),
                Cell(percent(after.recall[k])),
                Cell(points(comparison.recall_drop_pp[k])),
                Cell(f"{comparison.lost[k]:,}"),
                Cell(f"{comparison.won[k]:,}"),
            )
            for k, name in enumerate(classes)
        ),
    )


def confusion(row: Row) -> Table:
    """Return the confusion matrix; line: true class, column: answer."""
    classes = row.evaluation.shown
    lines = (
        (Cell(name), *(Cell(f"{count:,}" if count else "·") for count in counts))
        for name, counts in zip(classes, row.confusion.tolist(), strict=True)
    )
    return Table(("", *classes), tuple(lines))


def mistakes(row: Row) -> Table:
    """Return the most frequent wrong answers, at most `MOST_MISTAKES`: what a large confusion matrix hides."""
    classes, counts = row.evaluation.shown, row.confusion
    wrong = counts - np.diag(np.diag(counts))
    places = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MISTAKES]
    lines = []
    for truth, answer in zip(*np.unravel_index(places, wrong.shape), strict=True):
        if wrong[truth, answer]:
            of = int(counts[truth].sum())
            share = percent(wrong[truth, answer] / of, 1)
            cells = (classes[truth], classes[answer], f"{wrong[truth, answer]:,}", f"{share} of {of:,}")
            lines.append(tuple(Cell(text) for text in cells))
    word = class_word(classes)
    return Table((f"true {word}", "answer", "times", f"of this {word}"), tuple(lines))


def reliability(rows: Sequence[Row]) -> Table:
    """Return how far the confidence of each row can be relied on."""
    columns = ("model", "expected calibration error", "log loss", "answered at 99.9 % accuracy", "from confidence")
    lines = []
    for row in rows:
        judged = row.reliability
        lines.append(
            (
                Cell(row.name),
                Cell(percent(judged.expected_calibration_error)),
                Cell(f"{judged.log_loss:.4f}"),
                Cell(percent(judged.answered.coverage, 1)),
                Cell(NONE if judged.answered.threshold is None else percent(judged.answered.threshold, 1)),
            )
        )
    return Table(columns, tuple(lines))


def measured(rows: Sequence[Row]) -> Table:
    """Return where and how each row was measured."""
    columns = ("model", "device", "system", "how", "timed", "state", "when")
    return Table(columns, tuple(_measured_line(row) for row in rows))


def _measured_line(row: Row) -> tuple[Cell, ...]:
    device, latency = row.evaluation.device, row.latency
    facts, python = device_facts(device), device.get("python")
    parts = (
        joined(device.get("kind"), facts["machine"], facts["cpu"]),
        joined(facts["cores"], facts["memory"]),
        facts["features"],
    )
    return (
        Cell(row.label),
        Cell(row.device, tuple(part for part in parts if part and part != NONE)),
        Cell(joined(device.get("system")), (f"Python {python}",) if python else ()),
        Cell(settings(row) or NONE),
        Cell(latency.what or "one picture", (f"{len(latency.samples_us):,} times",)) if latency else Cell("nothing"),
        _state(row),
        Cell(utc(row.evaluation.created)),
    )


def _state(row: Row) -> Cell:
    """Return what may have slowed the device down: its governor, and its temperature before and after."""
    device = row.evaluation.device
    conditions = row.evaluation.extra.get("conditions", {"before": device, "after": device})
    degrees = [conditions[when].get("temperature_c") for when in ("before", "after")]
    words = [f"{value:.0f}" for value in dict.fromkeys(degrees) if value is not None]
    temperature = f"{' → '.join(words)} °C" if words else ""
    return Cell(joined(device.get("governor"), temperature))


def wheels(rows: Sequence[Row]) -> Table | None:
    """Return how well wheels and displays were read; None if none were."""
    columns = ("model", "that rest", "right digit", "sure", "sure and wrong", "wheels", "within a tenth")
    lines = []
    for row in rows:
        found = row.evaluation.extra.get("turns")
        if not found or not found["wheels"]:
            continue
        resting = (found[f"resting_{name}"] / max(found["resting"], 1) for name in ("right", "sure", "sure_wrong"))
        lines.append(
            (
                Cell(row.name),
                Cell(f"{found['resting']:,}"),
                *(Cell(percent(share)) for share in resting),
                Cell(f"{found['wheels']:,}"),
                Cell(percent(found["wheels_near"] / found["wheels"])),
            )
        )
    return Table(columns, tuple(lines)) if lines else None


def microcontrollers(records: Sequence[MicrocontrollerRecord]) -> Table | None:
    """Return flash, RAM and instructions of each model on each processor; None if there are no records."""
    columns = ("model", "processor", "flash, bytes", "RAM, bytes", "instructions a picture", "measured with")
    lines = [
        (
            Cell(record.name),
            Cell(figures.processor),
            Cell(f"{figures.flash_bytes:,}"),
            Cell(f"{figures.ram_bytes:,}", (f"{figures.stack_bytes:,} of it stack",)),
            Cell(
                f"{figures.instructions:,}",
                (f"{figures.instructions / record.macs:.2f} a multiply-accumulate",) if record.macs else (),
            ),
            Cell(record.emulator, (record.compiler,)),
        )
        for record in records
        for figures in record.processors
    ]
    return Table(columns, tuple(lines)) if lines else None


def layers(record: LayerRecord) -> Table:
    """Return what each layer loses in int8; the one that loses most is marked."""
    columns = ("layer", "error, of its signal", "in steps of int8", "root mean square", "largest", "of a signal of")
    lines = [
        (
            Cell(each.layer, (each.operator,)),
            Cell(
                percent(each.relative),
                ("loses most",) * (each is record.worst),
                "bad" * (each is record.worst) or "plain",
            ),
            Cell(f"{each.steps:.2f}"),
            Cell(f"{each.error:.3g}"),
            Cell(f"{each.largest:.3g}"),
            Cell(f"{each.signal:.3g}"),
        )
        for each in record.layers
    ]
    return Table(columns, tuple(lines))


def parts(rows: Sequence[Row]) -> Table | None:
    """Return the other times: parts of an answer, loading and starting; None if only the invocation was timed."""
    names = list(dict.fromkeys(name for row in rows for name in row.evaluation.latency))
    extras = [name for name in ("load_ms", "cold_start_ms") if any(name in row.evaluation.extra for row in rows)]
    if set(names) <= {"invoke"} and not extras:
        return None
    lines = []
    for row in rows:
        cells = [_part(row, name) for name in names]
        cells += [_milliseconds(row.evaluation.extra.get(name)) for name in extras]
        lines.append((Cell(row.name), *cells))
    words = [name.removesuffix("_ms").replace("_", " ") for name in extras]
    return Table(("model", *(f"{name}, µs" for name in names), *(f"{word}, ms" for word in words)), tuple(lines))


def _part(row: Row, name: str) -> Cell:
    """Return the median of all timed repetitions, and that of the five loops if there were loops."""
    latency = row.evaluation.latency.get(name)
    if latency is None:
        return Cell(NONE)
    loops = row.evaluation.extra.get("loops", {}).get(name)
    return Cell(microseconds(latency.p50), (f"loop median {microseconds(loops['median_us'])}",) if loops else ())


def _milliseconds(value: float | None) -> Cell:
    return Cell(NONE if value is None else f"{value:,.1f}")


def threads(rows: Sequence[Row]) -> Table | None:
    """Return the latency by number of threads, one picture alone and in a batch; None if it was not measured."""
    by_row = {row.name: {int(m["threads"]): m for m in row.evaluation.extra.get("threads", ())} for row in rows}
    counts = sorted({count for measured in by_row.values() for count in measured})
    if not counts:
        return None
    columns = ("µs a picture", *(counted(count, "thread") for count in counts))
    lines = []
    for name, by_count in by_row.items():
        if by_count:
            lines.append((Cell(name), *(_by_threads(by_count.get(count)) for count in counts)))
    return Table(columns, tuple(lines))


def _by_threads(times: Mapping[str, float] | None) -> Cell:
    if times is None:
        return Cell(NONE)
    return Cell(microseconds(times["one_us"]), (f"{microseconds(times['many_us'])} in a batch",))
