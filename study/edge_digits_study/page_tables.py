"""The tables of the page of a study."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from edge_digits_runtime.data.metrics import at_least
from edge_digits_runtime.mnist_format import DIGITS

from edge_digits.formatting import NONE, microseconds, points
from edge_digits.report.tables import Cell, Table
from edge_digits_study import definition, formatting, page_plots
from edge_digits_study.definition import QUANTITIES, Study, Target
from edge_digits_study.formatting import NOT_CONVERTED, NOT_RUN
from edge_digits_study.published_comparison import ComparedFigure, StudyComparison
from edge_digits_study.seed_summary import MAX_DROP_PP, Estimate, SystemSummary

LAST_EPOCHS = 20
"""Number of epochs at the end of a training whose validation accuracies are shown."""


def targets(study: Study, summaries: Mapping[str, SystemSummary]) -> Table:
    """Return what each target wants, what was measured, and the same for the drop of int8."""
    lines = [line(study, target, summaries.get(target.system)) for target in study.targets for line in (_target, _drop)]
    return Table(("what", "wanted", "measured", "seeds", "epochs trained", ""), tuple(lines))


def _target(study: Study, target: Target, one: SystemSummary | None) -> tuple[Cell, ...]:
    what = f"{study.system(target.system).title}: {QUANTITIES[target.quantity]}"
    wanted = f"≥ {target.value:g}"
    if one is None:
        return _unmeasured(what, wanted, NOT_RUN)
    estimate = one.figures[target.quantity]
    reached = at_least(estimate.mean, target.value)
    verdict = (
        Cell("reached") if reached else Cell(f"short by {formatting.small(target.value - estimate.mean)}", tone="bad")
    )
    return (*_cells(what, wanted, formatting.measured(estimate), str(estimate.n), formatting.epochs(one)), verdict)


def _drop(study: Study, target: Target, one: SystemSummary | None) -> tuple[Cell, ...]:
    what = f"{study.system(target.system).title}: int8 drop, pp"
    wanted = f"≤ {MAX_DROP_PP:.2f}"
    if one is None or one.int8 is None:
        return _unmeasured(what, wanted, NOT_RUN if one is None else NOT_CONVERTED)
    drop = one.int8.drop
    excess = drop.mean - MAX_DROP_PP
    verdict = Cell("reached") if at_least(0, excess) else Cell(f"over by {formatting.small(excess)}", tone="bad")
    return (*_cells(what, wanted, formatting.measured(drop), str(drop.n), formatting.epochs(one)), verdict)


def _unmeasured(what: str, wanted: str, why: str) -> tuple[Cell, ...]:
    return _cells(what, wanted, why, NONE, NONE, why)


def published_and_measured(table: definition.Table, summaries: Mapping[str, SystemSummary]) -> Table:
    """Return a table of the document with a measured figure next to each published one."""
    pairs = [heading for name in table.quantities for heading in (f"{QUANTITIES[name]}: published", "measured")]
    lines = []
    for row in table.rows:
        one = summaries.get(row.system)
        values = []
        for name in table.quantities:
            values.append(formatting.published(row.published.get(name), name))
            values.append(formatting.measured(one.figures[name], name) if one else NOT_RUN)
        how = (str(len(one.trials)), formatting.epochs(one)) if one else (NONE, NONE)
        lines.append(_cells(*row.cells, *values, *how))
    return Table((*table.columns, *pairs, "seeds", "epochs trained"), tuple(lines))


def training(study: Study, summaries: Mapping[str, SystemSummary]) -> Table:
    """Return how each system was trained, on which device, and what it reached on each split."""
    columns = (
        "system",
        "training, %",
        "validation, %",
        "test, %",
        "overfitting, pp",
        "convergence epoch",
        "epochs trained",
        "seconds per epoch",
        "trained on",
        "seeds",
    )
    return Table(columns, tuple(_training_line(system.title, summaries.get(system.name)) for system in study.systems))


def _training_line(title: str, one: SystemSummary | None) -> tuple[Cell, ...]:
    if one is None:
        return _cells(title, *[NOT_RUN] * 8, NONE)
    names = "train_accuracy", "validation_accuracy", "test_accuracy", "overfitting", "convergence_epoch"
    figures = (formatting.measured(one.figures[name], name) for name in names)
    seconds = f"{one.figures['seconds_per_epoch'].mean:.1f}"
    devices = "; ".join(dict.fromkeys(formatting.device_name(trial.device) for trial in one.trials))
    return _cells(title, *figures, formatting.epochs(one), seconds, devices, str(len(one.trials)))


def below(comparison: StudyComparison) -> Table:
    """Return every published figure that was not reached, with what the validation pictures say of the training."""
    columns = (
        "system",
        "accuracy, %",
        "published",
        "measured",
        "n",
        "diff., pp",
        "verdict",
        "best validation, %",
        "at epoch",
        f"validation of the last {LAST_EPOCHS} epochs, %",
    )
    return Table(columns, tuple(_below_line(figure) for figure in comparison.figures if figure.is_below))


def _below_line(figure: ComparedFigure) -> tuple[Cell, ...]:
    assert figure.summary
    assert figure.measured
    assert figure.difference is not None
    histories = [trial.history["val_accuracy"] for trial in figure.summary.trials]
    best = [max(values) for values in histories]
    last = [value for values in histories for value in values[-LAST_EPOCHS:]]
    epochs = (values.index(max(values)) + 1 for values in histories)
    return _cells(
        figure.system.title,
        formatting.accuracy_name(figure.quantity),
        formatting.published(figure.published, figure.quantity),
        formatting.measured(figure.measured),
        str(figure.measured.n),
        points(figure.difference, signed=True),
        figure.verdict,
        formatting.measured(Estimate.of(100 * value for value in best)),
        ", ".join(map(str, epochs)),
        f"{100 * min(last):.2f} to {100 * max(last):.2f}",
    )


def int8(study: Study, summaries: Mapping[str, SystemSummary]) -> Table:
    """Return accuracy, size and latency of the int8 models beside those of the float originals."""
    columns = (
        "system",
        "float, %",
        "int8, %",
        "drop, pp",
        "parameters",
        "bytes",
        "float, µs",
        "int8, µs",
        "seeds",
    )
    return Table(columns, tuple(_int8_line(system.title, summaries.get(system.name)) for system in study.systems))


def _int8_line(title: str, one: SystemSummary | None) -> tuple[Cell, ...]:
    if one is None:
        return _cells(title, *[NOT_RUN] * 7, NONE)
    accuracy = formatting.measured(one.figures["test_accuracy"])
    parameters = formatting.measured(one.figures["parameters"], "parameters")
    if (int8 := one.int8) is None:
        return _cells(title, accuracy, NOT_CONVERTED, NOT_CONVERTED, parameters, *[NOT_CONVERTED] * 3, NONE)
    tone = "plain" if at_least(MAX_DROP_PP, int8.drop.mean) else "bad"
    count = str(int8.drop.n) if int8.drop.n == len(one.trials) else f"{int8.drop.n} of {len(one.trials)}"
    return (
        *_cells(title, accuracy, formatting.measured(int8.accuracy)),
        Cell(formatting.measured(int8.drop), tone=tone),
        *_cells(parameters, f"{int8.bytes.mean:,.0f}"),
        *_cells(microseconds(int8.float_p50_us.mean), microseconds(int8.p50_us.mean), count),
    )


def layers(study: Study) -> Table:
    """Return the layers of each network, once for all systems that share it."""
    systems: dict[Any, list[str]] = {}
    for system in study.systems:
        rows = tuple(row for row in system.build(seed=0).table if row.parameters or row.macs)
        systems.setdefault(rows, []).append(system.title)
    lines = []
    for rows, titles in systems.items():
        for k, row in enumerate(rows):
            network = "" if k else "; ".join(titles)
            shape = " × ".join(map(str, row.output_shape))
            lines.append(_cells(network, row.name, shape, f"{row.parameters:,}", f"{row.macs:,}"))
        parameters, macs = sum(row.parameters for row in rows), sum(row.macs for row in rows)
        lines.append(_cells("", "together", "", f"{parameters:,}", f"{macs:,}"))
    return Table(("network", "layer", "output", "parameters", "multiply-accumulates"), tuple(lines))


def classification(summary: SystemSummary) -> Table:
    """Return precision, recall and F1 of each digit over the seeds, in percent."""
    names: tuple[Literal["precision", "recall", "f1"], ...] = ("precision", "recall", "f1")
    support = page_plots.confusion(summary).sum(axis=1) // len(summary.trials)
    by_digit = {name: 100 * np.array([trial.metrics[name] for trial in summary.trials]) for name in names}
    lines = [
        _cells(
            str(digit),
            *(formatting.measured(Estimate.of(by_digit[name][:, digit].tolist())) for name in names),
            f"{support[digit]:,}",
        )
        for digit in range(DIGITS)
    ]
    macro = (formatting.measured(summary.figures[name]) for name in names)
    lines.append(_cells("macro average", *macro, f"{support.sum():,}"))
    return Table(("digit", "precision, %", "recall, %", "F1, %", "test pictures"), tuple(lines))


def _cells(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))
