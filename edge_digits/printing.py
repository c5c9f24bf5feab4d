"""How the verbs print: one line for each message, JSON for machines, file names that cannot disturb a terminal."""

import json
from typing import Any

import click


def printable(text: str) -> str:
    r"""Return ``text`` with every character that is no visible one escaped: a line break becomes ``\n``.

    A file name may hold line breaks, what steers a terminal, or bytes that are no UTF-8; printed raw they would break
    the rule of one line for each picture.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def print_error(message: object) -> None:
    """Print ``Error:`` and the message as one line on standard error."""
    click.echo(f"Error: {printable(str(message))}", err=True)


def print_json(content: Any) -> None:
    """Print ``content`` as one line of JSON, with letters as they are unless a file name is no UTF-8."""
    text = json.dumps(content, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(content)
    click.echo(text)
