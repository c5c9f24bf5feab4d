"""``edge-digits testset``."""

from pathlib import Path

import click

from edge_digits.options import INK, InputChoice, OutputPath, data_option, grouping, grouping_options, input_option
from edge_digits.printing import printable


@click.command()
@data_option
@input_option
@grouping_options
@click.option("--lines", is_flag=True, help="Pictures of lines, for a reader of lines: those of --data, or made ones.")
@click.option(
    "-o",
    "--out",
    type=OutputPath(dir_okay=False),
    help="The file to write.  [default: mnist-test.npz, or lines-test.npz]",
)
def testset(
    data: Path | None,
    form: InputChoice,
    group_from: str | None,
    test_groups: tuple[str, ...],
    lines: bool,
    out: Path | None,
) -> None:
    """Write the test pictures into one file, to be copied to the device with the model.

    \b
    Example:
      edge-digits testset
      scp mnist-test.npz model.tflite pi:
      ssh pi edge-digits evaluate model.tflite --data mnist-test.npz
      edge-digits testset --lines
    """
    from edge_digits_runtime.data.npz import save_test
    from edge_digits_runtime.image.model_input import LINE_SHAPE, Input
    from edge_digits_runtime.mnist_format import SHAPE

    from edge_digits.data_sets import load_test

    if lines and form is not INK:
        raise click.UsageError("--lines are prepared in one way: leave out --input")
    wanted = Input("line", *LINE_SHAPE) if lines else form.resolved(SHAPE)
    dataset = load_test(data, wanted, grouping(group_from, test_groups))
    out = out or Path("lines-test.npz" if lines else "mnist-test.npz")
    save_test(out, dataset)
    click.echo(f"{printable(out)}: {len(dataset.test):,} test pictures of {dataset.name}, {out.stat().st_size:,} bytes")
