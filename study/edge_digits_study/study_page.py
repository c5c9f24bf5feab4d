"""The page of a study: published next to measured figures, and the int8 models. It is made from results alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edge_digits_runtime.records import files

from edge_digits.formatting import counted
from edge_digits.report import markdown
from edge_digits.report.markdown import escaped
from edge_digits_study import formatting, in_short, page_plots, page_tables
from edge_digits_study.definition import Study
from edge_digits_study.page_plots import PAGE_PLOTS
from edge_digits_study.published_comparison import compare_results
from edge_digits_study.results import Results, Trial
from edge_digits_study.seed_summary import CONVERGED_PP, MAX_DROP_PP, Estimate, SystemSummary, summarize

PAGE = "README.md"
FINDINGS = "findings.md"
"""File next to the results with what was found out about them, as Markdown; the page includes it if it exists."""


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
    path = folder / PAGE
    files.write_bytes(path, to_markdown(study, results, folder).encode())
    return path


def to_markdown(study: Study, results: Results, folder: Path) -> str:
    """Return the page as GitHub Flavored Markdown.

    Args:
        study: the study.
        results: its trials.
        folder: folder of the page, with the figures and the findings that it shows; it may be empty or missing.
    """
    return "\n".join(_lines(study, results, folder)).rstrip() + "\n"


def _lines(study: Study, results: Results, folder: Path) -> Iterator[str]:
    comparison = compare_results(study, results, folder)
    summaries = comparison.summaries
    yield f"# {escaped(study.title)}"
    yield ""
    yield escaped(study.document)
    yield ""
    if summaries:
        yield "## In short"
        yield ""
        yield from (f"- {escaped(sentence)}" for sentence in in_short.in_short(comparison))
        yield ""
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
        yield from markdown.table(page_tables.targets(study, summaries))
    yield "## Published and measured"
    yield ""
    for table in study.tables:
        yield f"### {escaped(table.title)}"
        yield ""
        yield from markdown.table(page_tables.published_and_measured(table, summaries))
    if any(figure.is_below for figure in comparison.figures):
        yield "## Below the published figure"
        yield ""
        yield from markdown.table(page_tables.below(comparison))
        yield (
            "Best validation: the highest validation accuracy of each training, mean over the seeds, and the epoch of "
            f"each seed. The last column has the lowest and the highest of the last {page_tables.LAST_EPOCHS} epochs: "
            "how much it matters after which epoch a training ends."
        )
        yield ""
    if (findings := folder / FINDINGS).exists():
        yield findings.read_text(encoding="utf-8").rstrip()
        yield ""
    yield "## Training"
    yield ""
    yield from markdown.table(page_tables.training(study, summaries))
    yield (
        "Overfitting: training accuracy minus test accuracy, both measured after the last epoch and without dropout or "
        f"noise. Convergence epoch: the first epoch whose validation accuracy is within {CONVERGED_PP:g} pp of the "
        "best of the training. Seconds per epoch: the median of each training, on the device that trained and with "
        "the other trainings that ran there at the same time."
    )
    yield ""
    yield "## int8"
    yield ""
    yield "The same networks in full-integer int8, which the document does not have."
    yield ""
    yield from markdown.table(page_tables.int8(study, summaries))
    yield (
        "Drop: test accuracy of the float original minus that of int8 with the same seed, **bold** if its mean is "
        f"above {MAX_DROP_PP:.2f} pp. Bytes: size of the flatbuffer, without labels and card. µs: median latency of "
        "one picture: float in Keras on the device that trained, int8 in its interpreter with one thread on the device "
        "that converted. Float latencies of different devices cannot be compared, and trainings that ran at the same "
        "time make them less exact."
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
    yield from markdown.table(page_tables.layers(study))
    if study.featured in summaries:
        featured = summaries[study.featured]
        yield f"## Classification report: {escaped(featured.system.title)}"
        yield ""
        yield from markdown.table(page_tables.classification(featured))
    if study.folds and all(name in summaries for name in study.folds):
        yield "## Mean over the folds"
        yield ""
        yield _cross_validation([summaries[name] for name in study.folds])
        yield ""
    for plot in PAGE_PLOTS:
        if (folder / plot.file).exists():
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
    trained = Counter((formatting.device(trial.device), _versions(trial)) for trial in shown)
    for (machine, versions), trials in trained.items():
        yield f"- {trials:,} on {escaped(machine)}: {escaped(versions)}"
    converted = Counter(formatting.device(trial.int8.device) for trial in shown if trial.int8 is not None)
    for machine, trials in converted.items():
        yield f"- {counted(trials, 'int8 model')} converted and measured on {escaped(machine)}"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _versions(trial: Trial) -> str:
    return ", ".join(f"{name} {version}" for name, version in trial.versions.items())
