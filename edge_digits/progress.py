"""Progress on stderr: a bar on a terminal, a line now and then where there is none."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_LINE_EVERY_S = 30.0
"""Without a terminal, how often a long step says where it is."""


def say(message: str) -> None:
    """A line of log."""
    click.echo(message, err=True)


@contextmanager
def bar(label: str, length: int) -> Iterator[Callable[..., None]]:
    """Yield ``update(done, note="")``: ``done`` of ``length`` are done, ``note`` is shown behind the bar.

    On a terminal this is one line that changes; elsewhere a line about every 30 seconds, so that a log shows that
    the work is alive and stays short.
    """
    if sys.stderr.isatty():
        note = ""
        with click.progressbar(
            length=length, label=label, file=sys.stderr, item_show_func=lambda _: note, update_min_steps=1
        ) as shown:

            def update(done: int, text: str = "") -> None:
                nonlocal note
                note = text
                shown.update(done - shown.pos, current_item=done)

            yield update
        return

    said = time.monotonic()

    def update_line(done: int, text: str = "") -> None:
        nonlocal said
        if time.monotonic() - said >= _LINE_EVERY_S:
            said = time.monotonic()
            say(f"{label} {done}/{length} {text}".rstrip())

    yield update_line
