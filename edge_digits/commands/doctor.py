"""``edge-digits doctor``."""

from pathlib import Path

import click

from edge_digits.options import UserPath
from edge_digits.printing import print_json, printable

NOT_FIT = 1

model_option = click.option(
    "--model", type=UserPath(), metavar="MODEL", help="Also check this .tflite file or installed model."
)


@click.command()
@model_option
@click.option(
    "--passport",
    type=UserPath(),
    metavar="FILE",
    help="Also check that what runs here is what 'certify' certified: the model (--model, or model.tflite beside "
    "FILE), every installed file, and the board.",
)
@click.option(
    "--require-signature",
    type=UserPath(),
    metavar="PUBKEY",
    help="Refuse a passport that is not signed with the private key of PUBKEY.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(model: Path | None, passport: Path | None, require_signature: Path | None, as_json: bool) -> int:
    """Check whether this device can run a model: Python, processor, memory, interpreter, temperature. For each problem
    it names the command that fixes it. Exits with 1 if there is a problem.

    \b
    Example:
      edge-digits doctor
      edge-digits doctor --model runs/mine/crop-s-int8.tflite
      edge-digits doctor --passport edge-digits/current/passport.json
    """
    from edge_digits_runtime.device.doctor import examine

    if require_signature is not None and passport is None:
        raise click.UsageError("--require-signature is for a passport: give --passport, or leave it out")
    checks = examine(model=model)
    if passport is not None:
        from edge_digits_runtime.device.certified import compare

        checks += compare(passport, model, require_signature)
    if as_json:
        print_json({"checks": [check.to_dict() for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            click.echo(f"{check.status:8}{check.name:{width}}  {printable(check.found)}")
            if check.remedy:
                click.echo(f"{'':8}{'':{width}}  -> {printable(check.remedy)}")
    return NOT_FIT if any(check.status == "problem" for check in checks) else 0
