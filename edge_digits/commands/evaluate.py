"""``edge-digits evaluate``."""

from pathlib import Path

import click

from edge_digits.options import (
    OutputPath,
    UserPath,
    backend_option,
    data_option,
    grouping,
    grouping_options,
    unverified_option,
)
from edge_digits.printing import note_missing_card


@click.command()
@click.argument("model", type=UserPath())
@data_option
@grouping_options
@click.option("--count", type=click.IntRange(1), metavar="N", help="Take only the first N test pictures.")
@click.option(
    "-o",
    "--out",
    type=OutputPath(dir_okay=False),
    metavar="FILE",
    help="The evaluation to write.  [default: MODEL.evaluation.json, beside MODEL if that is a file]",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads that a call may use.")
@click.option("--accuracy-only", is_flag=True, help="Measure no times: for a device that is emulated, for example.")
@click.option(
    "--device-name",
    metavar="NAME",
    help="What the record calls this device.  [default: the board, or the processor]",
)
@backend_option
@unverified_option
def evaluate(
    model: Path,
    data: Path | None,
    group_from: str | None,
    test_groups: tuple[str, ...],
    count: int | None,
    out: Path | None,
    threads: int,
    accuracy_only: bool,
    device_name: str | None,
    backend: str | None,
    allow_unverified: bool,
) -> None:
    """Measure accuracy and speed of MODEL on this device, and write every answer and every timing. MODEL is a .tflite
    file or the name of an installed model (see 'models').

    It needs no TensorFlow. The test pictures come from --data: a file that 'testset' wrote, or pictures of your own in
    folders such as mine/test/0 … mine/test/9 with --data mine. Without --data they are those of the run in whose
    folder MODEL is, or those that are packed in edge-digits-train: the held-out meters for a model of wheels, else
    those of MNIST. A reader of lines is measured on made lines of writers and fonts that it was not trained on, or on
    pictures of your own in a folder with a lines.csv of file,text.

    \b
    Example:
      edge-digits evaluate model.tflite --data mnist-test.npz -o pi.json
      edge-digits evaluate model.tflite --accuracy-only --device-name 'Cortex-A72, emulated'
      edge-digits evaluate line-m --data log-sheets -o lines.json
    """
    from edge_digits_runtime.device import facts
    from edge_digits_runtime.records import files
    from edge_digits_runtime.records.fields import plain_text

    out = out or evaluation_path(model)
    # Before a measurement that takes minutes.
    files.check_writable(out)
    if threads > facts.cores():
        raise click.UsageError(f"--threads {threads} is more than the {facts.cores()} cores that may be used here")

    from edge_digits.data_sets import load_data_of, load_test, packed_for, run_of
    from edge_digits.opening import open_model
    from edge_digits.pipeline import evaluate_model

    classifier = open_model(model, backend=backend, threads=threads, allow_unverified=allow_unverified)
    note_missing_card(classifier.name, classifier.model.card)
    groups = grouping(group_from, test_groups)
    record = None if data or group_from or test_groups else run_of(classifier)
    dataset = (
        load_data_of(record, test_only=True)
        if record
        else load_test(data or packed_for(classifier), classifier.input, groups)
    )
    if device_name is not None:
        # As the record takes it: one line of at most 200 characters.
        device_name = plain_text(device_name).strip()[:200]
        if not device_name:
            raise click.UsageError("--device-name is empty: give a name, or leave it out")
    evaluate_model(classifier, dataset, out, count, not accuracy_only, device_name)


def evaluation_path(model: Path) -> Path:
    """Return the path of the evaluation of ``model`` where no other is asked for."""
    return model.parent / f"{model.stem}.evaluation.json"
