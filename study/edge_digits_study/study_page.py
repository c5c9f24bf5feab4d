"""The page of a study: published next to measured figures, and the int8 models. It is made from results alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from edge_digits_runtime.data.metrics import at_least
from edge_digits_runtime.mnist_format import DIGITS
from edge_digits_runtime.records import files

from edge_digits.formatting import NONE, counted, joined, microseconds
from edge_digits.report import markdown
from edge_digits.report.markdown import escaped
from edge_digits.report.tables import Cell, Table
from edge_digits_study import definition, formatting, page_plots
from edge_digits_study.definition import QUANTITIES, Study, Target
from edge_digits_study.formatting import NOT_CONVERTED, NOT_RUN
from edge_digits_study.page_plots import PAGE_PLOTS
from edge_digits_study.results import Results, Trial
from edge_digits_study.seed_summary import MAX_DROP_PP, Estimate, SystemSummary, summarize

PAGE = "README.md"


def write(study: Study, results: Results, folder: Path) -> Path:
    """Write the figures and then ``README.md`` of ``study`` into ``folder``, each whole or not at all.

    Args:
        study: the study.
        results: its trials; systems without trials are shown as not run.
        folder: folder of ``results.json``, relative to which run folders are found.

    Returns:
        The path of the page.

    Raises:
        EvaluationError: an evaluation in a run folder is damaged.
        OutputError: the folder cannot be written to.
    """
    page_plots.draw(study, summarize(study, results), folder)
    present = {plot.file for plot in PAGE_PLOTS if (folder / plot.file).exists()}
    path = folder / PAGE
    files.write_bytes(path, to_markdown(study, results, present).encode())
    return path


def to_markdown(study: Study, results: Results, present: set[str]) -> str:
    """Return the page as GitHub Flavored Markdown; ``present`` are the names of the figure files next to it."""
    return "\n".join(_lines(study, results, summarize(study, results), present)).rstrip() + "\n"


def _lines(study: Study, results: Results, summaries: Mapping[str, SystemSummary], present: set[str]) -> Iterator[str]:
    yield f"# {escaped(study.title)}"
    yield ""
    yield escaped(study.document)
    yield ""
    if summaries:
        yield "Made by"
        yield ""
        yield from (f"    {command}" for command in commands(study, summaries))
        yield ""
    if len(summaries) < len(study.systems):
        yield f"Systems that are not run yet are run by `edge-digits study {study.name}`."
        yield ""
    yield (
        "Published figures are those of the document. Measured figures are the mean over the seeds ± their standard "
        "deviation (n − 1), for one seed without ±. Accuracies are those after the last epoch."
    )
    yield ""
    if study.targets:
        yield "## Targets"
        yield ""
        yield from markdown.table(_targets(study, summaries))
    yield "## Published and measured"
    yield ""
    for table in study.tables:
        yield f"### {escaped(table.title)}"
        yield ""
        yield from markdown.table(_published_and_measured(table, summaries))
    yield "## int8"
    yield ""
    yield "The same networks in full-integer int8, which the document does not have."
    yield ""
    yield from markdown.table(_int8(study, summaries))
    yield (
        "Drop: test accuracy of the float original minus that of int8 with the same seed, **bold** if its mean is "
        f"above {MAX_DROP_PP:.2f} pp. Bytes: size of the flatbuffer, without labels and card. µs: median latency of "
        "one picture on the machine that trained, float in Keras and int8 in its interpreter with one thread. "
        "Trainings that ran at the same time make these latencies less exact."
    )
    yield ""
    yield "## Layers"
    yield ""
    yield (
        "Multiply-accumulates of one picture: inputs × outputs for a dense layer, H × W × K² × inputs × outputs for a "
        "convolution of K × K with an output map of H × W. Layers without parameters and multiply-accumulates are left "
        "out."
    )
    yield ""
    yield from markdown.table(_layers(study))
    if study.featured in summaries:
        featured = summaries[study.featured]
        yield f"## Classification report: {escaped(featured.system.title)}"
        yield ""
        yield from markdown.table(_classification(featured))
    if study.folds and all(name in summaries for name in study.folds):
        yield "## Mean over the folds"
        yield ""
        yield _cross_validation([summaries[name] for name in study.folds])
        yield ""
    for plot in PAGE_PLOTS:
        if plot.file in present:
            yield f"## {plot.title}"
            yield ""
            yield plot.text
            yield ""
            yield f"![{plot.title}]({plot.file})"
            yield ""
    yield "## Where the document is unclear"
    yield ""
    yield "Where the document says nothing or contradicts itself, this was decided:"
    yield ""
    yield from (f"- {escaped(sentence)}" for sentence in study.decisions)
    yield ""
    yield "## Machine"
    yield ""
    yield from _machine([trial for one in summaries.values() for trial in one.trials], len(results.trials))


def commands(study: Study, summaries: Mapping[str, SystemSummary]) -> list[str]:
    """Return the commands that give these results: one for each number of seeds and epochs."""
    groups: dict[tuple[int, str], list[str]] = {}
    for name, one in sorted(summaries.items(), key=lambda item: item[1].system.seeds is not None):
        option = "" if one.epochs == one.document_epochs else f" --epochs {one.epochs}"
        # A system whose number of seeds is limited belongs to the command of those with more seeds.
        others = [key for key in groups if key[1] == option and one.system.seeds == len(one.trials) <= key[0]]
        groups.setdefault(max(others, default=(len(one.trials), option)), []).append(name)
    return [
        f"edge-digits study {study.name} --seeds {seeds}{option}" + _only(study, names)
        for (seeds, option), names in groups.items()
    ]


def _only(study: Study, names: Sequence[str]) -> str:
    """Return the options that select the systems ``names``, with one pattern for all systems that begin alike."""
    if len(names) == len(study.systems):
        return ""
    patterns: dict[str, None] = {}
    for name in names:
        start = name.partition("-")[0]
        alike = [system.name for system in study.systems if system.name.startswith(start)]
        patterns[f"'{start}*'" if len(alike) > 1 and set(alike) <= set(names) else name] = None
    return "".join(f" --only {pattern}" for pattern in patterns)


def _targets(study: Study, summaries: Mapping[str, SystemSummary]) -> Table:
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


def _published_and_measured(table: definition.Table, summaries: Mapping[str, SystemSummary]) -> Table:
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


def _int8(study: Study, summaries: Mapping[str, SystemSummary]) -> Table:
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


def _layers(study: Study) -> Table:
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


def _classification(summary: SystemSummary) -> Table:
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


def _cross_validation(folds: Sequence[SystemSummary]) -> str:
    held_out, test = (
        formatting.measured(Estimate.of(fold.figures[name].mean for fold in folds))
        for name in ("validation_accuracy", "test_accuracy")
    )
    return f"Right over {len(folds)} folds: {held_out} % of the pictures held out, {test} % of the test pictures."


def _machine(shown: Sequence[Trial], count: int) -> Iterator[str]:
    """Yield how long the trainings took, on which machines and with which packages."""
    if not shown:
        yield "Nothing is run yet."
        return
    seconds = sum(sum(trial.history["seconds"]) for trial in shown)
    seeds = sorted({trial.seed for trial in shown})
    yield (
        f"{counted(len(shown), 'training')}, {_duration(seconds)} in all; seeds {', '.join(map(str, seeds))}."
        + (f" Not shown, with fewer epochs: {count - len(shown):,}." if count > len(shown) else "")
    )
    yield ""
    for (machine, versions), trials in Counter((_device(trial), _versions(trial)) for trial in shown).items():
        yield f"- {trials:,} on {escaped(machine)}: {escaped(versions)}"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _device(trial: Trial) -> str:
    device = trial.device
    cores, memory = device.get("cores"), device.get("memory_bytes")
    size = (counted(cores, "core") if cores else "", f"{memory / 1e9:.0f} GB" if memory else "")
    facts = (device.get("name"), device.get("kind"), device.get("machine"), *size)
    return joined(*dict.fromkeys(facts))


def _versions(trial: Trial) -> str:
    return ", ".join(f"{name} {version}" for name, version in trial.versions.items())


def _cells(*texts: str) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))
