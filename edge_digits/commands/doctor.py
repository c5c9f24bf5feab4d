"""``edge-digits doctor``."""

import click

from edge_digits.printing import print_json

NOT_FIT = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> int:
    """Check whether this device can run a model: Python, processor, memory, interpreter, temperature. For each problem
    it names the command that fixes it. Exits with 1 if there is a problem.

    \b
    Example:
      edge-digits doctor
    """
    from edge_digits_runtime.device.doctor import examine

    checks = examine()
    if as_json:
        print_json({"checks": [check.to_dict() for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            click.echo(f"{check.status:8}{check.name:{width}}  {check.found}")
            if check.remedy:
                click.echo(f"{'':8}{'':{width}}  -> {check.remedy}")
    return NOT_FIT if any(check.status == "problem" for check in checks) else 0
