"""Write the ``--help`` of every verb into docs/reference/commands.md, from the commands themselves.

    uv run python docs/reference/write_help.py

A test compares the file with what this would write.
"""

from pathlib import Path

import click
from click.testing import CliRunner
from edge_digits_runtime.records import files
from edge_digits_study.studies import STUDIES

from edge_digits.cli import VERBS, main

TARGET = Path(__file__).with_name("commands.md")


def text() -> str:
    """The whole page."""
    parts = [
        "# Commands\n\nWritten by `uv run python docs/reference/write_help.py`; "
        "a test holds it to what the commands say.\n"
    ]
    # All studies have the same options.
    for arguments in ([], *([verb] for verb in VERBS), ["study", next(iter(STUDIES))], ["study", "compare"]):
        # A fixed width: the page must not depend on the terminal of whoever writes it.
        result = CliRunner().invoke(main, [*arguments, "--help"], prog_name="edge-digits", terminal_width=100)
        if result.exit_code:
            raise click.ClickException(f"{arguments}: {result.output}")
        title = " ".join(["edge-digits", *arguments])
        parts.append(f"## {title}\n\n```console\n$ {title} --help\n{result.output.rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    files.write_bytes(TARGET, text().encode())
    click.echo(TARGET)
