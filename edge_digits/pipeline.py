"""The steps of the pipeline as the verbs and ``quickstart`` both take them: library calls with progress shown.

Each takes and gives what the house's file formats hold, and imports the room that it needs when it is called.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import DataError, OutputError, RunError, UsageError

from edge_digits.options import percent
from edge_digits.progress import bars, say

if TYPE_CHECKING:
    from edge_digits_convert import ConversionResult
    from edge_digits_runtime.data.datasets import DataSet
    from edge_digits_runtime.model.classifier import DigitClassifier
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.run import RunRecord
    from edge_digits_train.engine.cluster import Cluster
    from edge_digits_train.recipes.recipe import Recipe

    from edge_digits.report import Report

RUNS = Path("runs")
TOO_LARGE_A_DROP = 1


def load_data(source: Path | None) -> "DataSet":
    """The data set that ``--data`` names, MNIST where it names none."""
    if source is None:
        return _mnist()
    from edge_digits_runtime.data import datasets

    return datasets.load(source)


def load_test(source: Path | None) -> "DataSet":
    """As `load_data` where only the test pictures are wanted; works on a device as long as ``source`` is given.

    Raises:
        DataError: no source, and the training side, which carries MNIST, is not installed.
    """
    if source is None:
        return _mnist()
    from edge_digits_runtime.data import datasets

    return datasets.load_test(source)


def _mnist() -> "DataSet":
    from importlib.util import find_spec

    if find_spec("edge_digits_train") is None:
        raise DataError(
            "which pictures? MNIST comes with the training side: run 'edge-digits testset' there, "
            "copy mnist-test.npz here and pass --data mnist-test.npz"
        )
    from edge_digits_train.data import mnist

    return mnist.load()


def train_run(
    recipe: "Recipe",
    dataset: "DataSet",
    out: Path,
    source: Path | None,
    resume: bool,
    cluster: "Cluster | None" = None,
) -> "RunRecord":
    """Train ``recipe`` into the run folder ``out`` and say what came out; in a cluster only its chief says it."""
    from edge_digits_train.engine.cluster import ALONE
    from edge_digits_train.engine.trainer import Progress
    from edge_digits_train.engine.training import train

    cluster = cluster or ALONE
    if not cluster.chief:
        say(f"Training {recipe.name} as process {cluster.index} of {cluster.processes}; process 0 writes {out}.")
        return train(recipe, dataset, out, source=source, resume=resume, cluster=cluster)
    if cluster.replicas > 1:
        say(f"Sharing each batch by {cluster.replicas} devices of {cluster.processes} processes.")
    say(f"Training {recipe.name} for {recipe.epochs} epochs: {recipe.parameters:,} parameters, {recipe.macs:,} MACs.")
    with bars() as update:

        def show(at: Progress) -> None:
            figures = f"loss {at.loss:.4f}  accuracy {at.accuracy:.4f}"
            if at.val_accuracy is not None:
                figures += f"  validation {at.val_accuracy:.4f}"
            # An epoch is done when it is validated.
            done = at.steps if at.val_accuracy is not None else min(at.step, at.steps - 1)
            update(f"epoch {at.epoch}/{at.epochs}", done, at.steps, figures)

        record = train(recipe, dataset, out, source=source, resume=resume, progress=show, cluster=cluster)
    click.echo(
        f"{out}: validation {percent(record.accuracy['validation'])}, test {percent(record.accuracy['test'])}; "
        f"{record.latency_us['p50']:,.0f} µs a picture in Keras on {record.device['name']}"
    )
    return record


def finished_run(recipe: "Recipe", out: Path) -> "RunRecord | None":
    """The record of the run folder ``out``; None where it is not there or unfinished.

    Raises:
        RunError: it is a run of another recipe or with other options.
    """
    from edge_digits_runtime.records.run import RECORD, RunRecord
    from edge_digits_train.recipes.recipe import Recipe

    if not (out / RECORD).exists():
        return None
    record = RunRecord.load(out)
    # Read as a recipe, so that a setting that is newer than the run has the value that it had then.
    if Recipe.from_dict(record.recipe).changes(recipe):
        raise RunError(f"{out}: holds a run with other options; choose another folder or delete it")
    return record


def finish_run(recipe: "Recipe", dataset: "DataSet", out: Path, source: Path | None) -> None:
    """As `train_run`, but keep a finished run of this recipe and go on with an unfinished one."""
    from edge_digits_runtime.records.run import CHECKPOINT

    if finished_run(recipe, out):
        say(f"{out}: already trained")
        return
    train_run(recipe, dataset, out, source, resume=(out / CHECKPOINT).exists())


def convert_run(
    run: Path,
    scheme: str,
    data: Path | None = None,
    calibration_count: int | None = None,
    seed: int | None = None,
    out: Path | None = None,
) -> "ConversionResult":
    """Convert the run folder ``run`` by ``scheme`` and say what came out; ``data`` where its pictures moved."""
    from edge_digits_runtime.records.run import RunRecord

    # Before Keras is imported, which takes seconds.
    record = RunRecord.load(run)

    from edge_digits_convert import CalibrationDraw, RunPictures, convert
    from edge_digits_train.data.splits import training_and_validation
    from edge_digits_train.recipes.recipe import Recipe

    source = record.data["source"]
    dataset = load_data(data or (Path(source) if source else None))
    training, validation = training_and_validation(Recipe.from_dict(record.recipe), dataset)
    result = convert(
        run,
        scheme,
        RunPictures(training, validation, dataset.test),
        CalibrationDraw(calibration_count, seed or 0),
        output=out,
        progress=lambda step: say(f"{record.name} {scheme}: {step}"),
    )
    figures = ", ".join(
        f"{split} {percent(result.accuracy[split])} ({0.0 - result.drop_pp[split]:+.2f} pp)"
        for split in result.accuracy
    )
    click.echo(
        f"{result.path}: {result.bytes_before:,} -> {result.bytes_after:,} bytes "
        f"({result.file_bytes:,} with labels and card); {figures}"
    )
    return result


def evaluate_model(
    classifier: "DigitClassifier", dataset: "DataSet", out: Path, count: int | None = None
) -> "Evaluation":
    """Measure ``classifier`` on the first ``count`` test pictures, all by default, write ``out`` and say what came."""
    from edge_digits_runtime.data.datasets import Split, digest
    from edge_digits_runtime.device.measurement import evaluate
    from edge_digits_runtime.records.evaluation import DataInfo

    split = Split(dataset.test.images[:count], dataset.test.labels[:count])
    name = Path(classifier.name).name
    evaluation = evaluate(
        classifier,
        split,
        DataInfo(dataset.name, "test", digest(split)),
        progress=lambda step: say(f"{name}: {step}"),
    )
    evaluation.save(out)
    latency = evaluation.latency["invoke"]
    click.echo(
        f"{out}: {percent(evaluation.accuracy)} of {len(split):,} pictures right; "
        f"p50 {latency.p50:,.1f} µs, p90 {latency.p90:,.1f} µs, p99 {latency.p99:,.1f} µs a picture "
        f"on {evaluation.device['name']}"
    )
    for note in evaluation.notes:
        say(f"Note: {note}")
    return evaluation


def write_report(files: Sequence[Path], out: Path | None) -> "Report":
    """Compare the evaluations in ``files``; with ``out``, write the report there in all its forms."""
    from edge_digits_runtime.records.evaluation import Evaluation

    from edge_digits import report

    result = report.compare([Evaluation.load(file) for file in files])
    if out is not None:
        report.write(result, out)
    return result


def print_drop_verdict(worst_pp: float | None, limit_pp: float | None) -> int:
    """Say whether the drop is within ``limit_pp`` and return the exit code: 0, or 1 above it.

    Raises:
        UsageError: there is a limit but no drop to hold against it.
    """
    from edge_digits_runtime.data import metrics

    if limit_pp is None:
        return 0
    if worst_pp is None:
        raise UsageError("--max-drop needs the float original among the evaluations: add its run folder")
    if not metrics.at_least(limit_pp, worst_pp):
        say(f"The accuracy drop of {worst_pp:.2f} pp is above the limit of {limit_pp:.2f} pp.")
        return TOO_LARGE_A_DROP
    say(f"The accuracy drop of {worst_pp:.2f} pp is within the limit of {limit_pp:.2f} pp.")
    return 0


def newest_run(runs: Path = RUNS) -> Path:
    """The finished run under ``runs`` that was written last.

    Raises:
        RunError: there is none.
    """
    from edge_digits_runtime.records.run import RECORD

    records = sorted(runs.glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
    if not records:
        raise RunError(f"no finished run under {runs}/: make one with 'edge-digits train', or name a run folder")
    return records[-1].parent


def unfinished_run(recipe: str | None, runs: Path = RUNS) -> Path:
    """The unfinished run under ``runs`` that was written last, of ``recipe`` where one is named.

    Raises:
        RunError: there is none.
    """
    from edge_digits_runtime.records.run import CHECKPOINT, RECORD

    checkpoints = [
        path
        for path in runs.glob(f"*/{CHECKPOINT}")
        if not path.with_name(RECORD).exists() and (recipe is None or path.parent.name.rpartition("-")[0] == recipe)
    ]
    if not checkpoints:
        raise RunError(f"nothing to resume under {runs}/: name the run folder with --out")
    return max(checkpoints, key=lambda path: path.stat().st_mtime).parent


def next_run(recipe: str, runs: Path = RUNS) -> Path:
    """Make ``runs/RECIPE-N`` with the smallest N behind all that are there, so that no other training takes it.

    Raises:
        OutputError: it cannot be made.
    """
    from edge_digits_runtime.records import files

    taken = [int(end) for path in runs.glob(f"{recipe}-*") if (end := path.name[len(recipe) + 1 :]).isdigit()]
    number = max(taken, default=0) + 1
    # Before the loop: that this is a link to nowhere is no sign that a number is taken.
    files.make_folder(runs)
    while True:
        folder = runs / f"{recipe}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(f"{folder}: this folder cannot be made: {error.strerror}") from error
        else:
            return folder
