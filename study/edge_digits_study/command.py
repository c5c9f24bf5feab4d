"""``edge-digits study``."""

import functools
from collections.abc import Sequence
from pathlib import Path

import click

from edge_digits.options import data_option
from edge_digits_study.overview_command import compare
from edge_digits_study.plan import Study, System
from edge_digits_study.results import RESULTS, Results
from edge_digits_study.studies import STUDIES

FOLDER = Path("runs/studies")
SEEDS = 3
QUICK_EPOCHS = 2
FAILED = 1


class StudyGroup(click.Group):
    """A group in which each study is a command, all with the same options, beside the group's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The studies, then what is about all of them."""
        return [*STUDIES, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a study, or one of the group's own."""
        study = STUDIES.get(cmd_name)
        return super().get_command(ctx, cmd_name) if study is None else _command(study)


@click.group(cls=StudyGroup, invoke_without_command=True)
@click.pass_context
def study(context: click.Context) -> None:
    """Rerun a published study: train its systems with several seeds, quantize each, and put what it published beside
    what was measured. Alone: list the studies and how much of each is done under runs/studies.

    Started again, a study keeps what is done and does the rest, an unfinished training from its last whole epoch.

    \b
    Example:
      edge-digits study
      edge-digits study mlp-against-cnn --budget quick
      edge-digits study lightweight-cnn --only 'mlp-*'
      edge-digits study compare
    """
    if context.invoked_subcommand is None:
        _list()


study.add_command(compare)


def _list() -> None:
    from edge_digits_study.run import gather, jobs, left

    rows = []
    for name, each in STUDIES.items():
        grid = jobs(each, FOLDER / name, SEEDS)
        rows.append((name, each.title, f"{len(grid) - len(left(grid, gather(each, FOLDER / name)))}/{len(grid)}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " trials")


_OPTIONS = (
    click.option("--seeds", type=click.IntRange(1), help=f"Trials of each system: seeds 0, 1, ….  [default: {SEEDS}]"),
    click.option("--epochs", type=click.IntRange(1), help="Passes over the training pictures.  [default: published]"),
    click.option(
        "--only", multiple=True, metavar="GLOB", help="Only systems of such a name, as 'mlp-*'; may be repeated."
    ),
    click.option(
        "--budget",
        type=click.Choice(["quick", "full"]),
        default="full",
        show_default=True,
        help=f"quick: a first look, one seed, at most {QUICK_EPOCHS} epochs, and only the systems in the foreground.",
    ),
    click.option("--trials-only", is_flag=True, help="Write results.json, but no page and no figures."),
    data_option,
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Where results, page and run folders go.  [default: runs/studies/NAME]",
    ),
    click.option(
        "--address",
        metavar="ADDRESS",
        help="A Ray cluster, such as auto or 10.0.0.5:6379; all its machines must see DIR under this path.  "
        "[default: this machine]",
    ),
    click.option(
        "--cpus-per-trial", "cpus", type=click.IntRange(1), default=1, show_default=True, help="CPUs of a trial."
    ),
    click.option(
        "--gpus-per-trial",
        "gpus",
        type=click.FloatRange(0),
        help="GPUs of a trial, such as 0.5.  [default: 0.25 where there is one, else 0]",
    ),
)


def _command(study: Study) -> click.Command:
    names = ", ".join(system.name for system in study.systems)
    command = click.Command(
        study.name,
        callback=functools.partial(_run, study),
        short_help=f"{study.title}.",
        help=f"{study.title}: train every system with several seeds, quantize each, and write results.json, a page of "
        f"tables and its figures.\n\nSystems: {names}.\n\n\b\nExample:\n"
        f"  edge-digits study {study.name} --budget quick\n"
        f"  edge-digits study {study.name} --seeds 5 --only '{study.systems[0].name}'",
    )
    for option in _OPTIONS:
        option(command)
    return command


def _run(
    study: Study,
    seeds: int | None,
    epochs: int | None,
    only: tuple[str, ...],
    budget: str,
    trials_only: bool,
    data: Path | None,
    out: Path | None,
    address: str | None,
    cpus: int,
    gpus: float | None,
) -> int:
    from edge_digits import pipeline
    from edge_digits.progress import bars, say
    from edge_digits_study import run

    folder = out or FOLDER / study.name
    quick = budget == "quick"
    systems = run.foreground(study) if quick and not only else run.select(study, only)
    grid = run.jobs(
        study, folder, seeds or (1 if quick else SEEDS), epochs, QUICK_EPOCHS if quick else None, systems, data
    )
    dataset = pipeline.load_data(data)
    say(f"{study.title}: {len(grid)} trials of {len(systems)} systems into {folder}")
    with bars() as update:
        outcome = run.run(study, grid, folder, dataset, run.Machines(address, cpus, gpus), update)
    for system in systems:
        click.echo(_summary(system, outcome.results))
    if not trials_only:
        from edge_digits_study import page

        page.write(study, outcome.results, folder)
    click.echo(f"{folder / RESULTS}")
    for failure in outcome.failures:
        say(f"{failure.details}Failed: {failure.job.label}: {failure.reason}")
    return FAILED if outcome.failures else 0


def _summary(system: System, results: Results) -> str:
    """A line about one system: means over its seeds, with the standard deviation where there are several."""
    from edge_digits.report.text import plain
    from edge_digits_study.labels import measured
    from edge_digits_study.seed_summary import Figure

    def mean(values: Sequence[float]) -> str:
        return plain(measured(Figure.of(values)))

    trials = results.of(system.name)
    if not trials:
        return f"{system.name}: nothing is done"
    float_accuracy = mean([100 * trial.accuracy["test"] for trial in trials])
    drops = [trial.int8.drop for trial in trials if trial.int8 is not None]
    int8 = f"int8 drop {mean(drops)} pp" if len(drops) == len(trials) else "int8 not converted yet"
    seeds = f"{len(trials)} seed{'s' * (len(trials) > 1)}"
    return f"{system.name}: test {float_accuracy} %, {int8} ({trials[0].epochs} epochs, {seeds})"
