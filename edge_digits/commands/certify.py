"""``edge-digits certify``."""

from pathlib import Path

import click

from edge_digits.commands.bundle import data_option, make, model_option, run_argument, scheme_option, wheels_option
from edge_digits.commands.deploy import connection_options
from edge_digits.options import OutputPath, sign_option, signature_option
from edge_digits.printing import printable
from edge_digits.progress import say

REFUSED = 1


@click.command()
@run_argument
@click.argument("host")
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    required=True,
    metavar="PP",
    help="Largest upper bound of the drop's 95 % interval, in percentage points.",
)
@click.option(
    "--max-ms",
    type=click.FloatRange(0, 1e9, min_open=True),
    required=True,
    metavar="MS",
    help="Largest 99th percentile from a picture file to the answer, in milliseconds.",
)
@click.option(
    "-o",
    "--out",
    type=OutputPath(dir_okay=False),
    default=Path("passport.json"),
    show_default=True,
    help="The passport to write.",
)
@scheme_option
@model_option
@data_option
@connection_options
@wheels_option
@sign_option
@signature_option
def certify(
    run: Path,
    host: str,
    max_drop: float,
    max_ms: float,
    out: Path,
    scheme: str | None,
    model: Path | None,
    data: Path | None,
    remote_dir: str,
    python: str | None,
    port: int | None,
    ssh_config: Path | None,
    wheels: str | None,
    sign: Path | None,
    require_signature: Path | None,
) -> int:
    """Deploy the model of RUN to HOST as 'deploy' does, measure it there from picture files, hold accuracy and time to
    limits, and write a passport: sha256 of the model and of everything that is installed, the board and its state, the
    float original, and the verdict. Exits with 1 if it is refused.

    The passport is also left beside the model on HOST, where 'edge-digits doctor --passport' says whether what runs is
    what was certified. With --sign the passport is signed, and 'doctor --require-signature' checks that.

    \b
    Example:
      edge-digits certify runs/cnn-32-64-64-1 pi --max-drop 0.2 --max-ms 50
      edge-digits certify runs/cnn-32-64-64-1 pi --max-drop 0.2 --max-ms 50 --sign release.key
      ssh pi edge-digits/venv/bin/edge-digits doctor --passport edge-digits/current/passport.json
    """
    from edge_digits_runtime.records import files
    from edge_digits_runtime.records.evaluation import Evaluation
    from edge_digits_runtime.records.run import EVALUATION

    from edge_digits.deploy import certification
    from edge_digits.deploy.ssh import Target
    from edge_digits.options import check_gate
    from edge_digits.pipeline import drop_gate, summary

    check_gate(max_drop, False)
    if max_ms != max_ms:
        raise click.UsageError("--max-ms nan: give milliseconds")
    if sign is not None:
        from edge_digits_runtime.signature import private_key

        # Before a deployment that takes minutes.
        private_key(sign)
    judge = drop_gate(run, max_drop, by_point=False)
    target = Target(host, remote_dir.rstrip("/"), port, ssh_config)
    # The evaluation comes into it at the end.
    files.check_writable(run, folder=True)
    bundle = make(run, scheme, model, data, True, wheels, False, require_signature)
    say(f"{host}: {bundle}")
    evaluation_file = run / f"{target.label}.{bundle.scheme}.evaluation.json"
    passport = certification.certify(
        bundle,
        target,
        Evaluation.load(run / EVALUATION),
        judge,
        max_ms,
        out,
        evaluation_file,
        key=sign,
        python=python,
        progress=say,
    )
    say(summary(Evaluation.load(evaluation_file)))
    for reason in passport.reasons:
        say(reason)
    click.echo(f"{printable(out)}: {passport.verdict}")
    return 0 if passport.verdict == "certified" else REFUSED
