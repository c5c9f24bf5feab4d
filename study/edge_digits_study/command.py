"""``edge-digits study``."""

import functools
from collections.abc import Sequence
from pathlib import Path

import click
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.records import files

from edge_digits.formatting import counted
from edge_digits.options import OutputPath, UserPath, data_option
from edge_digits.printing import printable
from edge_digits_study.definition import SEEDS, Study, System
from edge_digits_study.results import RESULTS, Results
from edge_digits_study.studies import STUDIES

FOLDER = Path("runs/studies")
"""Where a study goes by default, in a folder with its name."""
FOLDERS = (Path("docs/research/studies"), FOLDER)
"""Where ``study compare`` looks for studies: the first folder that exists, that of the repository before one's own."""
QUICK_EPOCHS = 2
FAILED = 1


class StudyGroup(click.Group):
    """A group with one command for each study, all with the same options, and ``compare``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the studies, then those of the other commands."""
        return [*STUDIES, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a study, or another command of the group."""
        study = STUDIES.get(cmd_name)
        return super().get_command(ctx, cmd_name) if study is None else _command(study)


@click.group(cls=StudyGroup, invoke_without_command=True)
@click.pass_context
def study(context: click.Context) -> None:
    """Repeat a published study: train its systems with several seeds, quantize each, and compare published with
    measured figures. Without a command, list the studies and how many trials of each are done under runs/studies.

    A study that is started again keeps the trials that are done and does the rest; an unfinished training continues
    after its last whole epoch.

    \b
    Example:
      edge-digits study
      edge-digits study mlp-against-cnn --budget quick
      edge-digits study lightweight-cnn --only 'mlp-*'
      edge-digits study compare
    """
    if context.invoked_subcommand is None:
        _list()


@study.command(short_help="Compare published with measured accuracies.")
@click.argument("folder", required=False, type=UserPath(file_okay=False))
@click.option(
    "-o",
    "--out",
    "output",
    type=OutputPath(dir_okay=False),
    metavar="FILE",
    help="Write the page as Markdown to this file, and its figure next to it.",
)
@click.option(
    "--family",
    "records",
    type=UserPath(dir_okay=False),
    metavar="FILE",
    help="Compare the digits- models in this file with the systems of the studies, on the page and in its figure.",
)
def compare(folder: Path | None, output: Path | None, records: Path | None) -> None:
    """Compare every accuracy that the five documents publish with the measured one: the difference, whether it is
    larger than the spread over seeds, the best system of each study, and the accuracy of int8.

    FOLDER has one folder for each study, with the name of the study.  [default: docs/research/studies if it exists,
    else runs/studies]

    \b
    Example:
      edge-digits study compare
      edge-digits study compare --out docs/research/studies/README.md --family docs/research/frontier.json
    """
    from edge_digits.progress import say
    from edge_digits_study import overview_page, published_comparison, together

    if folder is None:
        folder = next((one for one in FOLDERS if one.is_dir()), FOLDERS[-1])
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; run a study with 'edge-digits study NAME', or name its folder")
    comparisons = published_comparison.compare({name: folder / name for name in STUDIES})
    family = () if records is None else together.family(records)
    click.echo(overview_page.to_text(comparisons))
    if output is not None:
        overview_page.draw(comparisons, output.parent, family)
        files.write_bytes(output, overview_page.to_markdown(comparisons, output.parent, family).encode())
        say(f"Wrote {output}.")


def _list() -> None:
    from edge_digits_study.grid import gather, jobs, left

    rows = []
    for name, each in STUDIES.items():
        grid = jobs(each, FOLDER / name, SEEDS)
        rows.append((name, each.title, f"{len(grid) - len(left(grid, gather(each, FOLDER / name)))}/{len(grid)}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " trials")


_OPTIONS = (
    click.option(
        "--seeds",
        type=click.IntRange(1),
        help=f"Number of trials of each system, with seeds 0, 1, ….  [default: {SEEDS}]",
    ),
    click.option("--epochs", type=click.IntRange(1), help="Number of epochs.  [default: that of the document]"),
    click.option(
        "--only",
        multiple=True,
        metavar="GLOB",
        help="Only systems whose names match, such as 'mlp-*'; may be repeated.",
    ),
    click.option(
        "--budget",
        type=click.Choice(["quick", "full"]),
        default="full",
        show_default=True,
        help=f"quick: one seed, at most {QUICK_EPOCHS} epochs, and only systems with a target or a figure.",
    ),
    click.option("--trials-only", is_flag=True, help="Write results.json only, without page and figures."),
    data_option,
    click.option(
        "--out",
        "folder",
        type=OutputPath(file_okay=False),
        metavar="DIR",
        help="Folder for results, page and run folders.  [default: runs/studies/NAME]",
    ),
    click.option(
        "--address",
        metavar="ADDRESS",
        help="Address of a Ray cluster, such as auto or 10.0.0.5:6379; all its machines must see DIR under the same "
        "path.  [default: this machine]",
    ),
    click.option(
        "--cpus-per-trial", "cpus", type=click.IntRange(1), default=1, show_default=True, help="CPUs of each trial."
    ),
    click.option(
        "--gpus-per-trial",
        "gpus",
        type=click.FloatRange(0),
        help="GPUs of each trial, such as 0.5.  [default: 0.25 if there is a GPU, else 0]",
    ),
)


def _command(study: Study) -> click.Command:
    names = ", ".join(system.name for system in study.systems)
    command = click.Command(
        study.name,
        callback=functools.partial(_run, study),
        short_help=f"{study.title}.",
        help=f"{study.title}: train every system with several seeds, quantize each, and write results.json and a page "
        f"with tables and figures.\n\nSystems: {names}.\n\n\b\nExample:\n"
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
    folder: Path | None,
    address: str | None,
    cpus: int,
    gpus: float | None,
) -> int:
    from edge_digits.data_sets import load_data
    from edge_digits.progress import bars, interruption, say
    from edge_digits_study import grid, ray_runner

    folder = folder or FOLDER / study.name
    quick = budget == "quick"
    systems = grid.main_systems(study) if quick and not only else grid.select(study, only)
    jobs = grid.jobs(
        study, folder, seeds or (1 if quick else SEEDS), epochs, QUICK_EPOCHS if quick else None, systems, data
    )
    dataset = load_data(data)
    say(f"{study.title}: {counted(len(jobs), 'trial')} of {counted(len(systems), 'system')} in {folder}")
    with interruption(f"The same command goes on: what is done is in {folder}."), bars() as update:
        outcome = ray_runner.run(study, jobs, folder, dataset, ray_runner.Machines(address, cpus, gpus), update)
    for system in systems:
        click.echo(_summary(system, outcome.results))
    if not trials_only:
        from edge_digits_study import study_page

        study_page.write(study, outcome.results, folder)
    click.echo(printable(folder / RESULTS))
    for failure in outcome.failures:
        for line in (*failure.details.splitlines(), f"Failed: {failure.job.label}: {failure.reason}"):
            say(line)
    return FAILED if outcome.failures else 0


def _summary(system: System, results: Results) -> str:
    """Return a line about one system: means over its seeds ± standard deviation."""
    from edge_digits.report.text import plain
    from edge_digits_study.formatting import measured
    from edge_digits_study.seed_summary import Estimate

    def mean(values: Sequence[float]) -> str:
        return plain(measured(Estimate.of(values)))

    trials = results.of(system.name)
    if not trials:
        return f"{system.name}: no trial is done"
    float_accuracy = mean([100 * trial.accuracy["test"] for trial in trials])
    drops = [trial.int8.drop for trial in trials if trial.int8 is not None]
    int8 = f"int8 drop {mean(drops)} pp" if len(drops) == len(trials) else "int8 not converted yet"
    how = f"{counted(trials[0].epochs, 'epoch')}, {counted(len(trials), 'seed')}"
    return f"{system.name}: test {float_accuracy} %, {int8} ({how})"
