"""The page of a study: published beside measured, and what int8 made of it. It is made of results alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from edge_digits_runtime.data.metrics import at_least
from edge_digits_runtime.mnist_format import DIGITS
from edge_digits_runtime.records import files

from edge_digits.report import markdown
from edge_digits.report.markdown import escaped
from edge_digits.report.tables import Cell, Table, joined
from edge_digits.report.wording import NONE, microseconds
from edge_digits_study import illustrations, labels, plan
from edge_digits_study.illustrations import ILLUSTRATIONS
from edge_digits_study.labels import NOT_CONVERTED, NOT_RUN
from edge_digits_study.plan import QUANTITIES, Study, Target
from edge_digits_study.results import Results, Trial
from edge_digits_study.seed_summary import MAX_DROP_PP, Figure, Measured, measure

PAGE = "README.md"


def write(study: Study, results: Results, folder: Path) -> Path:
    """Write the figures and then ``README.md`` of ``study`` into ``folder``, each whole or not at all.

    Args:
        study: the document.
        results: what its trials came to; systems without trials are shown as not run.
        folder: where ``results.json`` is, so that run folders are found for the figures that need them.

    Returns:
        The path of the page.

    Raises:
        EvaluationError: an evaluation in a run folder is damaged.
        OSError: the folder cannot be written to.
    """
    illustrations.draw(study, measure(study, results), folder)
    present = {one.file for one in ILLUSTRATIONS if (folder / one.file).exists()}
    path = folder / PAGE
    files.write_bytes(path, to_markdown(study, results, present).encode())
    return path


def to_markdown(study: Study, results: Results, present: set[str]) -> str:
    """The page as GitHub's Markdown; ``present`` are the files of the figures that lie beside it."""
    return "\n".join(_lines(study, results, measure(study, results), present)).rstrip() + "\n"


def _lines(study: Study, results: Results, measured: Mapping[str, Measured], present: set[str]) -> Iterator[str]:
    yield f"# {escaped(study.title)}"
    yield ""
    yield escaped(study.document)
    yield ""
    if measured:
        yield "Made by"
        yield ""
        yield from (f"    {command}" for command in commands(study, measured))
        yield ""
    if len(measured) < len(study.systems):
        yield f"What is not run yet is run by `edge-digits study {study.name}`."
        yield ""
    yield (
        "Published figures are the document's; measured ones are the mean over "
        "seeds ± their standard deviation (n − 1), without ± of one seed. Accuracies are those after the last epoch."
    )
    yield ""
    if study.targets:
        yield "## Targets"
        yield ""
        yield from markdown.table(_targets(study, measured))
    yield "## Published and measured"
    yield ""
    for table in study.tables:
        yield f"### {escaped(table.title)}"
        yield ""
        yield from markdown.table(_side_by_side(table, measured))
    yield "## int8"
    yield ""
    yield "What the document does not have: the same networks in full-integer int8."
    yield ""
    yield from markdown.table(_int8(study, measured))
    yield (
        "The drop is that of the test accuracy against the float original of the same seed, **bold** where its mean is "
        f"above {MAX_DROP_PP:.2f} pp. Bytes are those of the flatbuffer, without labels and card. µs are the median "
        "for one picture, float in Keras and int8 in its interpreter with one thread, on the machine that trained; "
        "trainings side by side disturb them."
    )
    yield ""
    yield "## Layers"
    yield ""
    yield (
        "Multiply-accumulates of one picture: inputs × outputs for a dense layer, H × W × K² × inputs × outputs for a "
        "convolution of K × K with an output map of H × W. Layers without either are left out."
    )
    yield ""
    yield from markdown.table(_layers(study))
    if study.best in measured:
        best = measured[study.best]
        yield f"## Classification report: {escaped(best.system.title)}"
        yield ""
        yield from markdown.table(_classification(best))
    if study.folds and all(name in measured for name in study.folds):
        yield "## Mean over the folds"
        yield ""
        yield _cross_validation([measured[name] for name in study.folds])
        yield ""
    for one in ILLUSTRATIONS:
        if one.file in present:
            yield f"## {one.title}"
            yield ""
            yield one.text
            yield ""
            yield f"![{one.title}]({one.file})"
            yield ""
    yield "## Where the document is silent or contradicts itself"
    yield ""
    yield from (f"- {escaped(sentence)}" for sentence in study.taken)
    yield ""
    yield "## Machine"
    yield ""
    yield from _machine([trial for one in measured.values() for trial in one.trials], len(results.trials))


def commands(study: Study, measured: Mapping[str, Measured]) -> list[str]:
    """What to type for these results: a line for each number of seeds and epochs that there is."""
    groups: dict[tuple[int, str], list[str]] = {}
    for name, one in sorted(measured.items(), key=lambda item: item[1].system.seeds is not None):
        option = "" if one.epochs == one.wanted_epochs else f" --epochs {one.epochs}"
        # A system that is never trained with more seeds goes with those that are.
        others = [key for key in groups if key[1] == option and one.system.seeds == len(one.trials) <= key[0]]
        groups.setdefault(max(others, default=(len(one.trials), option)), []).append(name)
    return [
        f"edge-digits study {study.name} --seeds {seeds}{option}" + _only(study, names)
        for (seeds, option), names in groups.items()
    ]


def _only(study: Study, names: Sequence[str]) -> str:
    """The option that selects the systems ``names``: by what they begin with where all that begin so are meant."""
    if len(names) == len(study.systems):
        return ""
    patterns: dict[str, None] = {}
    for name in names:
        start = name.partition("-")[0]
        alike = [system.name for system in study.systems if system.name.startswith(start)]
        patterns[f"'{start}*'" if len(alike) > 1 and set(alike) <= set(names) else name] = None
    return "".join(f" --only {pattern}" for pattern in patterns)


def _targets(study: Study, measured: Mapping[str, Measured]) -> Table:
    lines = [line(study, target, measured.get(target.system)) for target in study.targets for line in (_target, _drop)]
    return Table(("what", "wanted", "measured", "seeds", "epochs trained", ""), tuple(lines))


def _target(study: Study, target: Target, one: Measured | None) -> tuple[Cell, ...]:
    what = f"{study.system(target.system).title}: {QUANTITIES[target.quantity]}"
    wanted = f"≥ {target.value:g}"
    if one is None:
        return _unmeasured(what, wanted, NOT_RUN)
    figure = one.figures[target.quantity]
    reached = at_least(figure.mean, target.value)
    verdict = Cell("reached") if reached else Cell(f"short by {labels.small(target.value - figure.mean)}", tone="bad")
    return (*_cells(what, wanted, labels.measured(figure), str(figure.n), labels.epochs(one)), verdict)


def _drop(study: Study, target: Target, one: Measured | None) -> tuple[Cell, ...]:
    what = f"{study.system(target.system).title}: int8 drop, pp"
    wanted = f"≤ {MAX_DROP_PP:.2f}"
    if one is None or one.quantized is None:
        return _unmeasured(what, wanted, NOT_RUN if one is None else NOT_CONVERTED)
    drop = one.quantized.drop
    excess = drop.mean - MAX_DROP_PP
    verdict = Cell("reached") if at_least(0, excess) else Cell(f"over by {labels.small(excess)}", tone="bad")
    return (*_cells(what, wanted, labels.measured(drop), str(drop.n), labels.epochs(one)), verdict)


def _unmeasured(what: str, wanted: str, why: str) -> tuple[Cell, ...]:
    return _cells(what, wanted, why, NONE, NONE, why)


def _side_by_side(table: plan.Table, measured: Mapping[str, Measured]) -> Table:
    pairs = [heading for name in table.quantities for heading in (f"{QUANTITIES[name]}: published", "measured")]
    lines = []
    for row in table.rows:
        one = measured.get(row.system)
        values = []
        for name in table.quantities:
            values.append(labels.published(row.published.get(name), name))
            values.append(labels.measured(one.figures[name], name) if one else NOT_RUN)
        how = (str(len(one.trials)), labels.epochs(one)) if one else (NONE, NONE)
        lines.append(_cells(*row.cells, *values, *how))
    return Table((*table.columns, *pairs, "seeds", "epochs trained"), tuple(lines))


def _int8(study: Study, measured: Mapping[str, Measured]) -> Table:
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
    return Table(columns, tuple(_int8_line(system.title, measured.get(system.name)) for system in study.systems))


def _int8_line(title: str, one: Measured | None) -> tuple[Cell, ...]:
    if one is None:
        return _cells(title, *[NOT_RUN] * 7, NONE)
    accuracy = labels.measured(one.figures["test_accuracy"])
    parameters = labels.measured(one.figures["parameters"], "parameters")
    if (int8 := one.quantized) is None:
        return _cells(title, accuracy, NOT_CONVERTED, NOT_CONVERTED, parameters, *[NOT_CONVERTED] * 3, NONE)
    tone = "plain" if at_least(MAX_DROP_PP, int8.drop.mean) else "bad"
    count = str(int8.drop.n) if int8.drop.n == len(one.trials) else f"{int8.drop.n} of {len(one.trials)}"
    return (
        *_cells(title, accuracy, labels.measured(int8.accuracy)),
        Cell(labels.measured(int8.drop), tone=tone),
        *_cells(parameters, f"{int8.bytes.mean:,.0f}"),
        *_cells(microseconds(int8.float_p50_us.mean), microseconds(int8.p50_us.mean), count),
    )


def _layers(study: Study) -> Table:
    """Each network once, though several systems train it."""
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


def _classification(best: Measured) -> Table:
    """Precision, recall and F1 of each digit over seeds, in percent."""
    names = ("precision", "recall", "f1")
    support = illustrations.confusion(best).sum(axis=1) // len(best.trials)
    by_digit = {name: 100 * np.array([trial.metrics[name] for trial in best.trials]) for name in names}
    lines = [
        _cells(
            str(digit),
            *(labels.measured(Figure.of(by_digit[name][:, digit].tolist())) for name in names),
            f"{support[digit]:,}",
        )
        for digit in range(DIGITS)
    ]
    macro = (labels.measured(best.figures[name]) for name in names)
    lines.append(_cells("macro average", *macro, f"{support.sum():,}"))
    return Table(("digit", "precision, %", "recall, %", "F1, %", "test pictures"), tuple(lines))


def _cross_validation(folds: Sequence[Measured]) -> str:
    held_out, test = (
        labels.measured(Figure.of(fold.figures[name].mean for fold in folds))
        for name in ("validation_accuracy", "test_accuracy")
    )
    return f"Over {len(folds)} folds {held_out} % of what was held out and {test} % of the test pictures are right."


def _machine(shown: Sequence[Trial], count: int) -> Iterator[str]:
    """Where the trials were trained and with which packages, and how long it took."""
    if not shown:
        yield "Nothing is run yet."
        return
    seconds = sum(sum(trial.history["seconds"]) for trial in shown)
    seeds = sorted({trial.seed for trial in shown})
    yield (
        f"Trainings shown: {len(shown):,}, {_duration(seconds)} in all; seeds {', '.join(map(str, seeds))}."
        + f" Not shown, with fewer epochs: {count - len(shown):,}." * (count > len(shown))
    )
    yield ""
    for (machine, versions), trials in Counter((_device(trial), _versions(trial)) for trial in shown).items():
        yield f"- {trials:,} on {escaped(machine)}: {escaped(versions)}"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _device(trial: Trial) -> str:
    device = trial.device
    cores, memory = device.get("cores"), device.get("memory_bytes")
    size = (f"{cores} cores" if cores else "", f"{memory / 1e9:.0f} GB" if memory else "")
    facts = (device.get("name"), device.get("kind"), device.get("machine"), *size)
    return joined(*dict.fromkeys(facts))


def _versions(trial: Trial) -> str:
    return ", ".join(f"{name} {version}" for name, version in trial.versions.items())


def _cells(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))
