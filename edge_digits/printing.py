"""Print errors as one line, objects as JSON, and file names so that they cannot disturb a terminal."""

import json
from typing import Any

import click


def printable(value: object) -> str:
    r"""Return a text or path with every invisible character escaped: a line break becomes ``\n``.

    A file name may hold line breaks, control sequences for a terminal, or bytes that are not UTF-8. Printed raw, they
    would break the rule of one line for each picture.
    """
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def print_error(message: object) -> None:
    """Print ``Error:`` and the message as one line on standard error."""
    click.echo(f"Error: {printable(str(message))}", err=True)


def note_missing_card(name: str, card: object) -> None:
    """Say on standard error, once for a command, that a model has no card: nothing says if it is as it was made."""
    if card is not None:
        return
    # Imported here: hardly any model is without one.
    from multiprocessing import parent_process

    # The processes that a command starts load the same model.
    if parent_process() is None:
        click.echo(f"{printable(name)}: no card: not verified", err=True)


def print_json(content: Any) -> None:
    """Print ``content`` as one line of JSON, with non-ASCII letters as they are, unless a file name is not UTF-8."""
    text = json.dumps(content, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(content)
    click.echo(text)
