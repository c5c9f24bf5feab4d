"""``edge-digits convert``."""

from pathlib import Path

import click

from edge_digits.options import OutputPath, UserPath, check_gate, check_licence, data_option, gate_options, sign_option


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
    type=OutputPath(dir_okay=False),
    metavar="FILE",
    help="The file to write.  [default: RUN/RECIPE-SCHEME.tflite]",
)
@sign_option
@click.option("--licence", default="", metavar="SPDX", help="What you grant for the model, such as MIT; for its card.")
@click.option(
    "--data-licence",
    default="",
    metavar="SPDX",
    help="Terms of the pictures that you trained it on, such as CC-BY-4.0; for its card.",
)
@gate_options
@click.option("--inspect", is_flag=True, help="Show what each layer loses in int8, as a table and a picture.")
@click.option("--allow-few", is_flag=True, help="Calibrate int8 on fewer than 100 different pictures.")
@click.option(
    "--allow-code",
    is_flag=True,
    help="Run code in the Keras model, such as that of a Lambda layer. It can do anything.",
)
def convert(
    run: Path | None,
    schemes: tuple[str, ...],
    calibration_count: int | None,
    seed: int | None,
    data: Path | None,
    out: Path | None,
    sign: Path | None,
    licence: str,
    data_licence: str,
    inspect: bool,
    allow_few: bool,
    allow_code: bool,
    max_drop: float | None,
    point: bool,
) -> int:
    """Quantize a trained RUN (a folder that 'train' wrote) to one .tflite file with labels and model card inside.
    Without RUN it takes the newest run under runs/.

    Prints the size before and after slimming, the accuracy on validation and test pictures, and in brackets what was
    lost to the float original: the drop is positive where accuracy was lost. --max-drop applies to the test pictures;
    where they are too few to show that the drop is within PP it says so, says how many would do, and exits with 1.
    Where int8 loses more than 0.5 percentage points, or with --inspect, it shows which layer loses them: each is
    computed in int8 and in float.

    The card names the data that the network was trained on and its terms: those of what is packed here are known,
    --data-licence says those of your own.

    A line reader is measured on made lines of writers and fonts that it was not trained on: --max-drop applies to them.

    \b
    Example:
      edge-digits convert --int8
      edge-digits convert runs/cnn-32-64-64-1 --int8 --float --max-drop 0.1
      edge-digits convert runs/mine-1 --inspect --licence MIT --data-licence CC-BY-4.0
      edge-digits convert runs/mine-1 --sign release.key
    """
    from edge_digits.gate import Gate
    from edge_digits.lines import convert_line_run, is_line_run, line_gate
    from edge_digits.pipeline import convert_run, print_gates
    from edge_digits.run_folders import newest_run

    check_gate(max_drop, point)
    for option, value in (("--licence", licence), ("--data-licence", data_licence)):
        check_licence(option, value)
    chosen = tuple(dict.fromkeys(schemes)) or ("int8",)
    if out is not None and len(chosen) > 1:
        raise click.UsageError("--out names one file, but several schemes were asked for: leave out --out")
    if "int8" not in chosen and (calibration_count is not None or seed is not None):
        raise click.UsageError("--calibration-count and --seed are for int8 alone, which was not asked for: add --int8")
    if "int8" not in chosen and (inspect or allow_few):
        raise click.UsageError("--inspect and --allow-few are for int8, which was not asked for: add --int8")
    if sign is not None:
        from edge_digits_runtime.signature import private_key

        # Before a conversion that takes minutes.
        private_key(sign)
    run = run or newest_run()
    if is_line_run(run):
        if inspect:
            raise click.UsageError("--inspect is for classifiers; this is the run of a line reader")
        if data_licence:
            raise click.UsageError("--data-licence is for pictures of your own; lines are made of what is packed here")
        if chosen != ("int8",) or data is not None:
            raise click.UsageError(
                "the run of a line reader is converted by --int8 alone, and its lines are made: leave out --data"
            )
        lines = convert_line_run(run, calibration_count, seed, out, sign, licence)
        if max_drop is not None and not lines.written:
            raise click.UsageError("--max-drop is for classifiers and line readers; a row finder reads no lines")
        return 0 if max_drop is None else print_gates([line_gate(lines, max_drop, point)])
    from edge_digits_convert.terms import Terms

    terms = Terms(data_licence, licence)
    results = [
        convert_run(run, scheme, data, calibration_count, seed, out, allow_few, allow_code, inspect, sign, terms)
        for scheme in chosen
    ]
    if max_drop is None:
        return 0
    return print_gates([Gate(result.path.name, paired, max_drop, point) for result, paired in results])
