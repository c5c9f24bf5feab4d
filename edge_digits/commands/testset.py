"""``edge-digits testset``."""

from pathlib import Path

import click

from edge_digits.options import InputChoice, UserPath, data_option, grouping, grouping_options, input_option
from edge_digits.printing import printable


@click.command()
@data_option
@input_option
@grouping_options
@click.option(
    "-o",
    "--out",
    type=UserPath(dir_okay=False),
    default=Path("mnist-test.npz"),
    show_default=True,
    help="The file to write.",
)
def testset(
    data: Path | None, form: InputChoice, group_from: str | None, test_groups: tuple[str, ...], out: Path
) -> None:
    """Write the test pictures into one file, to be copied to the device with the model.

    \b
    Example:
      edge-digits testset
      scp mnist-test.npz model.tflite pi:
      ssh pi edge-digits evaluate model.tflite --data mnist-test.npz
    """
    from edge_digits_runtime.data.npz import save_test
    from edge_digits_runtime.mnist_format import SHAPE

    from edge_digits.data_sets import load_test

    dataset = load_test(data, form.resolved(SHAPE), grouping(group_from, test_groups))
    save_test(out, dataset)
    click.echo(f"{printable(out)}: {len(dataset.test):,} test pictures of {dataset.name}, {out.stat().st_size:,} bytes")
