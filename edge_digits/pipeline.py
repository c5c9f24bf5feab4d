"""The steps of the pipeline, shared by the verbs and ``quickstart``: calls of the libraries that show their progress.

Each function imports the packages that it needs when it is called.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import RunError, UsageError

from edge_digits.data_sets import load_data_of
from edge_digits.formatting import device, microseconds, percent, points
from edge_digits.printing import printable
from edge_digits.progress import bars, say

if TYPE_CHECKING:
    from edge_digits_convert import CalibrationDraw, ConversionResult, RunPictures
    from edge_digits_convert.terms import Terms
    from edge_digits_runtime.data.datasets import DataSet
    from edge_digits_runtime.device.measurement import Model
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.run import RunRecord
    from edge_digits_train.engine.cluster import Cluster
    from edge_digits_train.recipes.recipe import Recipe

    from edge_digits.gate import Gate
    from edge_digits.report import Paired, Report

TOO_LARGE_A_DROP = 1
_WORTH_A_LOOK_PP = 0.5
"""Where int8 loses more, in percentage points, `convert_run` says which layer loses it."""


def train_run(
    recipe: "Recipe",
    dataset: "DataSet",
    folder: Path,
    source: Path | None,
    resume: bool,
    cluster: "Cluster | None" = None,
    start: Path | None = None,
) -> "RunRecord":
    """Train ``recipe`` into the run folder ``folder`` and print the result; in a cluster only the chief prints it."""
    from edge_digits_train.engine.cluster import ALONE
    from edge_digits_train.engine.generalization import gap_warning, same_answer_warning
    from edge_digits_train.engine.trainer import Progress
    from edge_digits_train.engine.training import train

    cluster = cluster or ALONE
    if not cluster.chief:
        say(
            f"Training {recipe.name} as process {cluster.index} of {cluster.processes}; "
            f"process 0 writes {printable(folder)}."
        )
        return train(recipe, dataset, folder, source=source, resume=resume, cluster=cluster, start=start)
    if cluster.replicas > 1:
        say(f"Splitting each batch between {cluster.replicas} devices of {cluster.processes} processes.")
    recipe = _fitted(recipe, dataset)
    _say_held_out(recipe, dataset, source)
    say(f"Training {recipe.name} for {recipe.epochs} epochs: {recipe.parameters:,} parameters, {recipe.macs:,} MACs.")
    with bars() as update:

        def show(at: Progress) -> None:
            figures = f"loss {at.loss:.4f}  accuracy {at.accuracy:.4f}"
            if at.val_accuracy is not None:
                figures += f"  validation {at.val_accuracy:.4f}"
            # An epoch is done only after its validation.
            done = at.steps if at.val_accuracy is not None else min(at.step, at.steps - 1)
            update(f"epoch {at.epoch}/{at.epochs}", done, at.steps, figures)

        record = train(recipe, dataset, folder, source, resume, show, cluster, start)
    if "origin" in record.extra:
        say(f"{record.name}: {record.extra['origin']}.")
    print_run(record, folder)
    warnings = (
        gap_warning(record.history, record.data["counts"], augmented=recipe.augmentation is not None),
        same_answer_warning(record.metrics["confusion"], record.data["classes"]),
    )
    for warning in filter(None, warnings):
        say(warning)
    return record


def print_run(record: "RunRecord", folder: Path) -> None:
    """Print what the network of a run does, in one line."""
    click.echo(
        f"{printable(folder)}: "
        f"validation {percent(record.accuracy['validation'])}, test {percent(record.accuracy['test'])}; "
        f"{record.latency_us['p50']:,.0f} µs a picture in Keras on {record.device['name']}"
    )


def _fitted(recipe: "Recipe", dataset: "DataSet") -> "Recipe":
    """Return the recipe for the classes and the input of a data set, and say what that leaves out."""
    fitted = recipe.fitted(dataset.classes, dataset.input)
    if fitted.classes != recipe.classes or fitted.input_shape != recipe.input_shape:
        say(f"{fitted.classes} classes, pictures of {dataset.input} pixels ({dataset.input.kind}).")
    left_out = [name for name in ("optdigits", "outliers") if getattr(recipe, name) and not getattr(fitted, name)]
    if left_out:
        say(f"Left out of {recipe.name}, since only handwritten digits have them: {' and '.join(left_out)}.")
    return fitted


def _say_held_out(recipe: "Recipe", dataset: "DataSet", source: Path | None) -> None:
    """Say which groups are held out, where groups are known, and whether training pictures are among them."""
    from edge_digits_train.data.splits import training_and_validation

    from edge_digits.survey.leaks import leak_warning

    if source is None:
        return  # MNIST has no groups, and no leak.
    training, validation = training_and_validation(recipe, dataset)
    held_out = {"test": dataset.test, "validation": validation}
    for split, purpose in (("test", "testing"), ("validation", "validation")):
        names = held_out[split].group_names
        if names:
            more = f" and {len(names) - 20} more" if len(names) > 20 else ""
            say(f"Held out for {purpose}: {', '.join(names[:20])}{more}.")
    warning = leak_warning(training, held_out, source)
    if warning is not None:
        say(warning)


def finished_run(recipe: "Recipe", folder: Path, dataset: "DataSet") -> "RunRecord | None":
    """Return the record of the run folder ``folder``; None if it does not exist or is unfinished.

    Raises:
        RunError: the folder holds a run of another recipe, with other options, or on other pictures than ``dataset``.
        DataError: ``dataset`` has too few pictures for the validation split of ``recipe``.
    """
    from edge_digits_runtime.data.datasets import digest
    from edge_digits_runtime.records.run import RECORD, RunRecord
    from edge_digits_train.data.splits import training_and_validation
    from edge_digits_train.recipes.recipe import Recipe

    if not (folder / RECORD).exists():
        return None
    record = RunRecord.load(folder)
    recipe = recipe.fitted(dataset.classes, dataset.input)
    # Compared as recipes: settings that are newer than the run have the value that they had then.
    if Recipe.from_dict(record.recipe).changes(recipe):
        raise RunError(f"{folder}: holds a run with other options; choose another folder or delete it")
    training, validation = training_and_validation(recipe, dataset)
    splits = {"train": training, "validation": validation, "test": dataset.test}
    if record.data["sha256"] != {name: digest(split) for name, split in splits.items()}:
        raise RunError(
            f"{folder}: holds a run on other pictures than {dataset.name}; choose another folder, or give its --data"
        )
    return record


def finish_run(recipe: "Recipe", dataset: "DataSet", folder: Path, source: Path | None) -> None:
    """Train ``recipe`` into ``folder`` unless that is done; an unfinished training continues.

    Raises:
        RunError: the folder holds a run of another recipe, with other options, or on other pictures than ``dataset``.
    """
    from edge_digits_runtime.records.run import CHECKPOINT

    if finished_run(recipe, folder, dataset):
        say(f"{printable(folder)}: already trained")
        return
    train_run(recipe, dataset, folder, source, resume=(folder / CHECKPOINT).exists())


def convert_run(
    run: Path,
    scheme: str,
    data: Path | None = None,
    calibration_count: int | None = None,
    seed: int | None = None,
    output: Path | None = None,
    allow_few: bool = False,
    allow_code: bool = False,
    inspect: bool = False,
    key: Path | None = None,
    terms: "Terms | None" = None,
) -> "tuple[ConversionResult, Paired]":
    """Convert the run folder ``run`` by ``scheme`` and print the result.

    Args:
        run: the run folder.
        scheme: one of `edge_digits_runtime.model.card.SCHEMES`.
        data: path of the data set that the run was trained on; None for the path in its record.
        calibration_count: number of training pictures that int8 is calibrated on; None for the default.
        seed: seed of the draw of these pictures; None for the default.
        output: the file to write; None for ``RUN/RECIPE-SCHEME.tflite``.
        allow_few: calibrate int8 on fewer than 100 different pictures, if there are no more.
        allow_code: run code in the Keras model, such as that of a Lambda layer.
        inspect: show what each layer loses in int8, even if that is little.
        key: file of the private key that signs the model; None for no signature.
        terms: licences that the card names; None where nobody said.

    Returns:
        The result, and the answers of the float original and of the file to the test pictures, counted in pairs.

    Raises:
        EvaluationError: the run has no evaluation of its original any more.
    """
    from edge_digits_runtime.records import files
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.run import EVALUATION, RunRecord

    # Before Keras is imported, which takes seconds.
    record = RunRecord.load(run)
    files.check_writable(output or run / f"{record.name}-{scheme}.tflite")
    original = Evaluation.load(run / EVALUATION)

    from edge_digits_convert import CalibrationDraw, RunPictures, convert
    from edge_digits_train.data.splits import training_and_validation
    from edge_digits_train.recipes.recipe import Recipe

    from edge_digits.paired import pair

    dataset = load_data_of(record, data)
    training, validation = training_and_validation(Recipe.from_dict(record.recipe), dataset)
    pictures = RunPictures(training, validation, dataset.test)
    draw = CalibrationDraw(calibration_count, seed or 0, allow_few)
    result = convert(
        run,
        scheme,
        pictures,
        draw,
        output=output,
        progress=lambda step: say(f"{record.name} {scheme}: {step}"),
        allow_code=allow_code,
        key=key,
        terms=terms,
    )
    paired = pair(original.labels, original.predicted, result.test_answers, original.classes)
    low, high = paired.interval_pp
    click.echo(
        f"{printable(result.path)}: "
        f"{result.bytes_before:,} -> {result.bytes_after:,} bytes "
        f"({result.file_bytes:,} with labels and card); "
        f"validation {percent(result.accuracy['validation'])} (drop {points(result.drop_pp['validation'])} pp), "
        f"test {percent(result.accuracy['test'])} (drop {points(paired.drop_pp)} pp, 95 % interval {points(low)} to "
        f"{points(high)})"
    )
    if scheme == "int8" and (inspect or max(result.drop_pp.values()) > _WORTH_A_LOOK_PP):
        _show_inspection(run, pictures, draw, allow_code, result)
    return result, paired


def _show_inspection(
    run: Path, pictures: "RunPictures", draw: "CalibrationDraw", allow_code: bool, result: "ConversionResult"
) -> None:
    """Print what each layer loses in int8, and write it beside the model, where ``report`` finds it.

    With the extra ``report`` it is drawn, too.
    """
    from importlib.util import find_spec

    from edge_digits_convert import inspection
    from edge_digits_runtime.records import files
    from edge_digits_runtime.records.layers import RECORD

    model = result.path
    say(f"{model.stem}: comparing each layer with float")
    record = inspection.inspect_run(run, pictures, result.card, draw, allow_code)
    for line in inspection.table(record):
        click.echo(line)
    path = model.with_suffix(f".{RECORD}")
    record.save(path)
    click.echo(f"{printable(path)}: the same for 'report'")
    if find_spec("matplotlib") is not None:
        from edge_digits.report import charts

        picture = path.with_suffix(".svg")
        files.write_bytes(picture, charts.layers(record))
        click.echo(f"{printable(picture)}: the same as a picture")


def finish_conversion(run: Path, scheme: str, data: Path | None = None) -> Path:
    """Convert the run folder ``run`` by ``scheme`` with the default settings, unless that is done.

    A ``.tflite`` in the folder counts if its card says that it was converted from the weights of this run, and its
    bytes match the sha256 in its card.

    Returns:
        The path of the ``.tflite``.
    """
    from edge_digits_runtime.errors import ModelError
    from edge_digits_runtime.model.card import read_model_file
    from edge_digits_runtime.records.run import RunRecord

    record = RunRecord.load(run)
    path = run / f"{record.name}-{scheme}.tflite"
    try:
        card = read_model_file(path).card
    except ModelError:
        card = None
    if card is not None and (card.scheme, card.weights_sha256) == (scheme, record.weights_sha256):
        say(f"{printable(path)}: already converted")
        return path
    return convert_run(run, scheme, data)[0].path


def evaluate_model(
    classifier: "Model",
    dataset: "DataSet",
    output: Path,
    count: int | None = None,
    timed: bool = True,
    device_name: str | None = None,
) -> "Evaluation":
    """Measure ``classifier`` on test pictures, write the evaluation to ``output`` and print the result.

    Args:
        classifier: the model.
        dataset: its test pictures are used; they are of classes of the model, and were read as its card says.
        output: the file to write.
        count: number of test pictures; None for all.
        timed: measure times, too.
        device_name: what the record calls this device; None for what its system says.

    Raises:
        DataError: there are pictures of a class that the model does not know.
        UsageError: the pictures were read for another input.
    """
    from edge_digits_runtime.data.datasets import digest
    from edge_digits_runtime.device.measurement import evaluate
    from edge_digits_runtime.records.evaluation import DataInfo

    if dataset.input != classifier.input:
        raise UsageError(
            f"{classifier.name}: takes {classifier.input.kind} of {classifier.input} pixels; "
            f"{dataset.name} was read as {dataset.input.kind} of {dataset.input}"
        )
    dataset = dataset.with_labels(classifier.labels)
    split = dataset.test.take(slice(count))
    name = Path(classifier.name).name
    evaluation = evaluate(
        classifier,
        split,
        DataInfo(dataset.name, "test", digest(split)),
        timed=timed,
        progress=lambda step: say(f"{name}: {step}"),
    )
    if device_name is not None:
        evaluation = dataclasses.replace(evaluation, device=dict(evaluation.device) | {"name": device_name})
    evaluation.save(output)
    click.echo(f"{printable(output)}: {summary(evaluation)}")
    for note in evaluation.notes:
        say(f"Note: {note}")
    return evaluation


def summary(evaluation: "Evaluation") -> str:
    """Return accuracy, both latencies and the device of an evaluation in a line."""
    what = {"invoke": "an invocation", "file": "picture file to answer"}
    times = [
        f"{words} {microseconds(latency.p50)} µs (p99 {microseconds(latency.p99)})"
        for part, words in what.items()
        if (latency := evaluation.latency.get(part))
    ]
    right = f"{percent(evaluation.accuracy)} of {len(evaluation.labels):,} pictures right"
    how = [_turns(evaluation)]
    if evaluation.character_error_rate is not None:
        how.append(f"{percent(evaluation.character_error_rate)} of the characters wrong")
    if evaluation.silently_wrong is not None:
        how.append(f"{percent(evaluation.silently_wrong)} sure and wrong")
    return "; ".join([right, *times, *filter(None, how)]) + f"; on {device(evaluation.device)}"


def _turns(evaluation: "Evaluation") -> str | None:
    """Say how well wheels were read, where there are wheels."""
    found = evaluation.extra.get("turns")
    if not found or not found["resting"]:
        return None
    right, sure, wrong = (
        percent(found[f"resting_{name}"] / found["resting"]) for name in ("right", "sure", "sure_wrong")
    )
    return f"of {found['resting']:,} that rest {right}, sure {sure}, sure and wrong {wrong}"


def finish_evaluation(classifier: "Model", dataset: "DataSet", output: Path) -> None:
    """Measure ``classifier`` on all test pictures and write the evaluation to ``output``, unless that is done.

    An evaluation counts if it is of the same model on the same pictures, by their sha256, and was made on this device.
    """
    from edge_digits_runtime.data.datasets import digest
    from edge_digits_runtime.device.facts import device_facts
    from edge_digits_runtime.errors import EvaluationError
    from edge_digits_runtime.records.device_facts import device_key
    from edge_digits_runtime.records.evaluation import Evaluation

    try:
        done = Evaluation.load(output)
    except EvaluationError:
        done = None
    if (
        done is not None
        and done.model.sha256 == classifier.model.sha256
        and done.data.sha256 == digest(dataset.with_labels(classifier.labels).test)
        and device_key(done.device) == device_key(device_facts())
    ):
        say(f"{printable(output)}: already evaluated")
        return
    evaluate_model(classifier, dataset, output)


def write_report(
    files: Sequence[Path], folder: Path | None, max_drop: float | None = None, by_point: bool = False
) -> "Report":
    """Compare the evaluations in ``files``; if ``folder`` is given, write the report there in all its forms.

    Raises:
        UsageError: there is a limit ``max_drop`` in percentage points, but no float original to count from.
    """
    from edge_digits_runtime.records import layers, microcontroller
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.layers import LayerRecord
    from edge_digits_runtime.records.microcontroller import MicrocontrollerRecord

    from edge_digits import report

    exports = [file for file in files if file.name.endswith(microcontroller.RECORD)]
    inspected = [file for file in files if file.name.endswith(layers.RECORD)]
    result = report.compare(
        [Evaluation.load(file) for file in files if file not in {*exports, *inspected}],
        [MicrocontrollerRecord.load(file) for file in exports],
        [LayerRecord.load(file) for file in inspected],
    )
    if max_drop is not None:
        result = result.gated(max_drop, by_point)
        if not result.gates:
            raise UsageError("--max-drop needs the float original among the evaluations: add its run folder")
    if folder is not None:
        report.write(result, folder)
    return result


def drop_gate(run: Path, max_drop: float, by_point: bool) -> "Callable[[Evaluation], Gate]":
    """Return a function that says whether what an evaluation lost to the float original is within ``max_drop``.

    Called before a long measurement, so that what is missing here is said first.

    Args:
        run: the run folder, with the evaluation of the original.
        max_drop: allowed drop in percentage points.
        by_point: judge by the drop itself, not by its interval.

    Raises:
        EvaluationError: the run has no evaluation of its original.
        UsageError: scipy is not installed here.
    """
    from importlib.util import find_spec

    from edge_digits_runtime.errors import EvaluationError
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.run import EVALUATION

    if find_spec("scipy") is None:
        raise UsageError("--max-drop needs the extra 'report', which is not installed here")

    from edge_digits.gate import Gate
    from edge_digits.paired import pair

    original = Evaluation.load(run / EVALUATION)

    def judge(evaluation: Evaluation) -> Gate:
        if evaluation.data.sha256 != original.data.sha256:
            raise EvaluationError(f"{run / EVALUATION}: is of other pictures than were answered; train again")
        paired = pair(original.labels, original.predicted, evaluation.predicted, original.classes)
        name = f"{evaluation.model.name} {evaluation.model.scheme} on {evaluation.device['name']}"
        return Gate(name, paired, max_drop, by_point)

    return judge


def print_gates(gates: "Sequence[Gate]") -> int:
    """Print for each model whether its drop is within the limit.

    Returns:
        The exit code: 0 if all are, 1 if one is above it or is not shown to be within it.
    """
    for gate in gates:
        say(str(gate))
    return 0 if all(gate.passed for gate in gates) else TOO_LARGE_A_DROP
