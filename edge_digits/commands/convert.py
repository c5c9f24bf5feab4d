"""``edge-digits convert``."""

from pathlib import Path

import click

from edge_digits.options import UserPath, data_option


@click.command()
@click.argument("run", required=False, type=UserPath(), metavar="[RUN]")
@click.option("--int8", "schemes", flag_value="int8", multiple=True, help="Full-integer quantization (the default).")
@click.option("--float", "schemes", flag_value="float32", multiple=True, help="32-bit weights and activations.")
@click.option("--float16", "schemes", flag_value="float16", multiple=True, help="16-bit weights, computed in float.")
@click.option("--dynamic", "schemes", flag_value="dynamic", multiple=True, help="8-bit weights, activations in float.")
@click.option(
    "--calibration-count",
    type=click.IntRange(1),
    metavar="N",
    help="How many training pictures int8 is calibrated on, evenly from the classes.",
)
@click.option("--seed", type=click.IntRange(0), help="Seed of the draw of the calibration pictures.")
@data_option
@click.option(
    "-o",
    "--out",
    type=UserPath(dir_okay=False),
    metavar="FILE",
    help="The file to write.  [default: RUN/RECIPE-SCHEME.tflite]",
)
@click.option(
    "--max-drop", type=float, metavar="PP", help="Exit with 1 if a model loses more than PP percentage points."
)
def convert(
    run: Path | None,
    schemes: tuple[str, ...],
    calibration_count: int | None,
    seed: int | None,
    data: Path | None,
    out: Path | None,
    max_drop: float | None,
) -> int:
    """Quantize a trained RUN (a folder that 'train' wrote) to one .tflite file with labels and model card inside.
    Without RUN it takes the newest run under runs/.

    Prints the size before and after slimming, the accuracy on validation and test pictures, and in brackets the
    difference from the float original. --max-drop applies to the test pictures.

    A line reader is measured on made lines of writers and fonts that it was not trained on: --max-drop applies to them.

    \b
    Example:
      edge-digits convert --int8
      edge-digits convert runs/cnn-32-64-64-1 --int8 --float --max-drop 0.1
    """
    from edge_digits.lines import convert_line_run, is_line_run
    from edge_digits.pipeline import convert_run, newest_run, print_drop_verdict

    chosen = tuple(dict.fromkeys(schemes)) or ("int8",)
    if out is not None and len(chosen) > 1:
        raise click.UsageError("--out names one file, but several schemes were asked for: leave out --out")
    if "int8" not in chosen and (calibration_count is not None or seed is not None):
        raise click.UsageError("--calibration-count and --seed are for int8 alone, which was not asked for: add --int8")
    run = run or newest_run()
    if is_line_run(run):
        if chosen != ("int8",) or data is not None:
            raise click.UsageError(
                "the run of a line reader is converted by --int8 alone, and its lines are made: leave out --data"
            )
        return print_drop_verdict(convert_line_run(run, calibration_count, seed, out).drop_pp, max_drop)
    results = [convert_run(run, scheme, data, calibration_count, seed, out) for scheme in chosen]
    return print_drop_verdict(max(result.drop_pp["test"] for result in results), max_drop)
