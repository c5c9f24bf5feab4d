"""``edge-digits report``."""

from pathlib import Path

import click
from edge_digits_runtime.errors import EvaluationError

from edge_digits.options import WORSE, OutputPath, UserPath, check_gate, gate_options
from edge_digits.printing import printable


@click.command()
@click.argument("evaluations", nargs=-1, required=True, type=UserPath(), metavar="EVALUATION...")
@click.option(
    "-o",
    "--out",
    type=OutputPath(file_okay=False),
    help="Write report.html, report.md and report.json into this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not as a table.")
@click.option(
    "--before",
    type=UserPath(dir_okay=False),
    multiple=True,
    metavar="EVALUATION",
    help="An evaluation of the model before, on one of the test sets: say what the new one brought there, and exit "
    "with 1 if it is worse by more than chance. May be given for several test sets.",
)
@gate_options
def report(
    evaluations: tuple[Path, ...],
    out: Path | None,
    as_json: bool,
    before: tuple[Path, ...],
    max_drop: float | None,
    point: bool,
) -> int:
    """Compare evaluations picture by picture: the float original, float TFLite, int8 TFLite, on any devices.

    EVALUATION is a file that 'train' or 'evaluate' wrote, or a folder, which stands for all evaluations in it. The
    layers.json of 'convert --inspect' adds which layer loses what int8 costs, the microcontroller.json of 'export
    --measure' what the C of a model takes on microcontrollers.

    --max-drop applies to every converted model: it exits with 1 if one is above the limit, and if these pictures are
    too few to show that it is within.

    \b
    Example:
      edge-digits report runs/cnn-32-64-64-1 from-the-pi.json -o report
      edge-digits report runs/cnn-32-64-64-1 --max-drop 0.1
      edge-digits report runs/digits-xs-1 int8.json digits/microcontroller.json
      edge-digits report after-mnist.json after-own.json --before before-mnist.json --before before-own.json
    """
    import json

    if before:
        return _say_what_was_brought(before, evaluation_files(evaluations), as_json)

    from edge_digits.pipeline import print_gates, write_report

    check_gate(max_drop, point)
    result = write_report(evaluation_files(evaluations), out, max_drop, point)
    from edge_digits import report as reports

    click.echo(json.dumps(reports.to_dict(result), ensure_ascii=False) if as_json else reports.to_text(result))
    if out is not None:
        click.echo(f"Wrote {printable(out / 'report.html')}, report.md and report.json.", err=True)
    return print_gates(result.gates)


def _say_what_was_brought(before: tuple[Path, ...], after: list[Path], as_json: bool) -> int:
    import json

    from edge_digits_runtime.records.evaluation import Evaluation

    from edge_digits.report.brought import between

    results = between(before, [Evaluation.load(path) for path in after])
    for result in results:
        click.echo(json.dumps(result.to_dict(), ensure_ascii=False) if as_json else str(result))
    return WORSE if any(result.worse for result in results) else 0


def evaluation_files(paths: tuple[Path, ...]) -> list[Path]:
    """Return the evaluation files that the arguments name, each once, in the order given.

    Raises:
        EvaluationError: a folder holds none.
    """
    from edge_digits_runtime.model.registry import EVALUATION_SUFFIX
    from edge_digits_runtime.records import layers, microcontroller
    from edge_digits_runtime.records.run import EVALUATION

    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found = [*path.glob(f"*{EVALUATION}"), *path.glob(f"*{EVALUATION_SUFFIX}")]
            inside = sorted(found, key=lambda p: (p.name != EVALUATION, p.name))
            if not inside:
                raise EvaluationError(f"{path}: no evaluation in this folder; make one with 'edge-digits evaluate'")
            files.update(dict.fromkeys(inside))
            for kind in (layers.RECORD, microcontroller.RECORD):
                files.update(dict.fromkeys(sorted(path.glob(f"*{kind}"))))
        else:
            files[path] = None
    return list(files)
