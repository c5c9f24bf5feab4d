"""``edge-digits bundle``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import UsageError

from edge_digits.options import OutputPath, UserPath, signature_option, unverified_option
from edge_digits.printing import printable

if TYPE_CHECKING:
    from edge_digits_runtime.data.datasets import DataSet

    from edge_digits.deploy.bundle import Bundle
    from edge_digits.deploy.pico import PicoBundle

run_argument = click.argument("run", type=UserPath(), metavar="RUN")
scheme_option = click.option(
    "--scheme",
    type=click.Choice(["int8", "float32", "float16", "dynamic"]),
    help="Which of RUN's .tflite files to pack.  [default: int8]",
)
model_option = click.option(
    "--model",
    type=UserPath(),
    metavar="MODEL",
    help="Pack this .tflite, or installed model, instead of one in RUN.",
)
data_option = click.option(
    "--data",
    type=UserPath(),
    metavar="PATH",
    help="Where the data set is that RUN was trained on.  [default: where it was then]",
)
wheels_option = click.option(
    "--wheels",
    metavar="PLATFORM",
    help="Also pack the wheels of all that edge-digits needs on such a device, such as aarch64-cp311: it then installs "
    "without internet.",
)


@click.command()
@run_argument
@click.option(
    "-o",
    "--out",
    type=OutputPath(dir_okay=False),
    default=Path("edge-digits-bundle.zip"),
    show_default=True,
    help="The file to write.",
)
@scheme_option
@model_option
@data_option
@click.option(
    "--runtime/--no-runtime",
    default=True,
    help="Also pack edge-digits itself, as it is installed here.  [default: --runtime]",
)
@wheels_option
@click.option(
    "--target",
    type=click.Choice(["linux", "pico"]),
    default="linux",
    show_default=True,
    help="linux: for a device that runs Python. pico: the C of 'export' for a Raspberry Pi Pico, without Python.",
)
@signature_option
@unverified_option
def bundle(
    run: Path,
    out: Path,
    scheme: str | None,
    model: Path | None,
    data: Path | None,
    runtime: bool,
    wheels: str | None,
    target: str,
    require_signature: Path | None,
    allow_unverified: bool,
) -> None:
    """Pack all that a device needs to run and measure the model of RUN into one ZIP.

    It holds the model, the test pictures, ten pictures to try, edge-digits itself, checksums, and a README with the
    three commands to type on the device. The same input gives the same bytes.

    \b
    Example:
      edge-digits bundle runs/cnn-32-64-64-1 -o pi.zip
      scp pi.zip pi:
      ssh pi python3 -m zipfile -e pi.zip .
      edge-digits bundle runs/cnn-32-64-64-1 --wheels aarch64-cp311
      edge-digits bundle runs/digits-xs-1 --target pico -o pico.zip
    """
    if target == "pico":
        if wheels is not None:
            raise UsageError("--wheels is for a device that runs Python: leave it out with --target pico")
        packed_for_pico = make_for_pico(run, scheme, model, data, runtime, allow_unverified, require_signature)
        packed_for_pico.save(out)
        click.echo(f"{printable(out)}: {packed_for_pico}")
        return
    packed = make(run, scheme, model, data, runtime, wheels, allow_unverified, require_signature)
    packed.save(out)
    click.echo(f"{printable(out)}: {packed}")


def make_for_pico(
    run: Path,
    scheme: str | None,
    model: Path | None,
    data: Path | None,
    runtime: bool,
    allow_unverified: bool,
    require_signature: Path | None = None,
) -> "PicoBundle":
    """Make the bundle of a run for a Pico; the arguments and errors are those of `make`.

    Raises:
        UsageError: an option that has no meaning there; and where the packages of 'export' are not installed.
    """
    from importlib.util import find_spec

    from edge_digits_runtime.installation import how_to_get

    if scheme not in (None, "int8") or not runtime or allow_unverified:
        raise UsageError("--target pico packs int8 models that match their cards, as C: give no other option with it")
    if find_spec("edge_digits_convert") is None:
        raise UsageError(f"--target pico needs more than the device profile: {how_to_get(['convert'])}")
    from edge_digits.deploy.pico import make_pico_bundle

    chosen, dataset = _model_and_data(run, "int8", model, data, require_signature)
    return make_pico_bundle(chosen, dataset, require_signature)


def make(
    run: Path,
    scheme: str | None,
    model: Path | None,
    data: Path | None,
    runtime: bool,
    wheels: str | None,
    allow_unverified: bool,
    require_signature: Path | None = None,
    live: bool = False,
) -> "Bundle":
    """Make the bundle of a run.

    Args:
        run: the run folder.
        scheme: which of its models to pack; None for int8.
        model: a ``.tflite``, or the name of an installed model, to pack instead.
        data: where the data set of the run is; None for where its record says.
        runtime: whether to pack edge-digits itself.
        wheels: platform whose wheels are packed, such as ``aarch64-cp311``; None for none.
        allow_unverified: pack a model that does not match the sha256 in its card.
        require_signature: file of the public key that the model must be signed with.
        live: pack the page and the service, too.

    Raises:
        RunError: ``run`` is not a finished run, or holds no model of that scheme.
        DataError: its data set cannot be found, or has changed.
        ModelError, SignatureError: as in `edge_digits.deploy.bundle.make_bundle`.
        UsageError: ``model`` is no installed model, or ``scheme`` is given as well; and as in
            `edge_digits.deploy.bundle.make_bundle`.
    """
    if model and scheme:
        raise UsageError("--scheme chooses among the files of RUN, and --model names another: give one of them")
    from edge_digits.deploy.bundle import make_bundle
    from edge_digits.deploy.dependencies import Platform

    platform = None if wheels is None else Platform.parse(wheels)
    chosen, dataset = _model_and_data(run, scheme or "int8", model, data, require_signature)
    return make_bundle(
        chosen,
        dataset,
        runtime=runtime,
        platform=platform,
        allow_unverified=allow_unverified,
        require_signature=require_signature,
        live=live,
    )


def _model_and_data(
    run: Path, scheme: str, model: Path | None, data: Path | None, require_signature: Path | None
) -> "tuple[Path, DataSet]":
    """Return the model file of a run, or the one that is named, and the data set whose test pictures the run had."""
    from edge_digits_runtime.model.registry import find
    from edge_digits_runtime.records.run import RunRecord

    from edge_digits.data_sets import load_data_of
    from edge_digits.deploy.bundle import check_data, find_model
    from edge_digits.lines import is_line_run

    if is_line_run(run):
        return _line_model_and_data(run, scheme, model, data, require_signature)
    record = RunRecord.load(run)
    # Checked before the data are loaded, which may take a while.
    chosen = find(model) if model else find_model(run, scheme, require_signature)
    dataset = load_data_of(record, data, test_only=True)
    check_data(record.name, record.data["sha256"]["test"], dataset)
    return chosen, dataset


def _line_model_and_data(
    run: Path, scheme: str, model: Path | None, data: Path | None, require_signature: Path | None
) -> "tuple[Path, DataSet]":
    """Return the same of the run of a line reader."""
    from edge_digits_runtime.errors import RunError
    from edge_digits_runtime.image.model_input import LINE_SHAPE, Input
    from edge_digits_runtime.model.registry import find
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.line_run import LineRunRecord
    from edge_digits_runtime.records.run import EVALUATION

    from edge_digits.data_sets import load_test
    from edge_digits.deploy.bundle import check_data, find_model

    record = LineRunRecord.load(run)
    if record.recipe["kind"] != "line":
        raise RunError(f"{run}: a run of {record.name}, which comes with the runtime; give one of a line reader")
    chosen = find(model) if model else find_model(run, scheme, require_signature)
    tested = Evaluation.load(run / EVALUATION)
    dataset = load_test(data, Input("line", *LINE_SHAPE))
    check_data(record.name, tested.data.sha256, dataset)
    return chosen, dataset
