"""``edge-digits import``."""

from pathlib import Path

import click
from click.core import ParameterSource

from edge_digits.options import InputChoice, OutputPath, UserPath, data_option, grouping, grouping_options, input_option


@click.command("import")
@click.argument("file", type=UserPath(), metavar="FILE")
@data_option
@input_option
@grouping_options
@click.option(
    "-o",
    "--out",
    type=OutputPath(file_okay=False),
    help="The run folder to write.  [default: runs/FILE-N, N the next free number]",
)
@click.option(
    "--range",
    "pixel_range",
    type=click.Choice(["0..1", "0..255", "-1..1"]),
    help="The pixels that the model was trained with.  [default: found by its accuracy on validation pictures]",
)
@click.option(
    "--classes",
    metavar="NAME,...",
    help="Names of the classes in the order of the model's outputs.  [default: those of the data set, in its order]",
)
@click.option(
    "--allow-code", is_flag=True, help="Run code that the file holds, such as Lambda layers. It can do anything."
)
def import_model(
    file: Path,
    data: Path | None,
    form: InputChoice,
    group_from: str | None,
    test_groups: tuple[str, ...],
    out: Path | None,
    pixel_range: str | None,
    classes: str | None,
    allow_code: bool,
) -> None:
    """Adopt a Keras classifier that was trained elsewhere, a .keras or .h5 FILE, as a run folder: 'convert' and
    everything after it works as with a run of 'train'. It is measured on --data, which should be the pictures that it
    was trained with.

    A softmax at the end is left out. The model takes grey pictures (height × width, 16 to 64 pixels a side), with or
    without rescaling layers of its own.

    \b
    Example:
      edge-digits import model.keras -o runs/mine
      edge-digits import plates.h5 --data plates --input crop:32x20 --range 0..255
    """
    from edge_digits.keras_import import import_run

    given = click.get_current_context().get_parameter_source("form") is not ParameterSource.DEFAULT
    names = tuple(name.strip() for name in classes.split(",")) if classes is not None else None
    import_run(
        file, data, form if given else None, grouping(group_from, test_groups), out, pixel_range, names, allow_code
    )
