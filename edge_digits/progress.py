"""Progress on standard error: a bar on a terminal, otherwise a line now and then."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from edge_digits.printing import printable

Update = Callable[[str, int, int, str], None]
"""``update(label, done, length, note)``: of the step called ``label``, ``done`` of ``length`` parts are done."""

_LINE_EVERY_S = 30.0
"""Seconds between two lines of a long step where there is no terminal."""
_REDRAW_EVERY_S = 0.1
"""Seconds between two drawings of a bar."""


def say(message: str) -> None:
    """Print a line on standard error; what it quotes of files and devices is shown escaped."""
    click.echo(printable(message), err=True)


@contextmanager
def interruption(how_to_go_on: str) -> Iterator[None]:
    """Let "Interrupted." be followed by a sentence that says how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note(how_to_go_on)
        raise


@contextmanager
def bars() -> Iterator[Update]:
    """Yield an `Update`, which shows a bar for each label, one below the other.

    Without a terminal, a line is printed when a label is finished, and before that about every 30 seconds: a log stays
    short and still shows that work goes on.
    """
    # Standard error may be closed.
    shown = _Bars() if sys.stderr is not None and sys.stderr.isatty() else _Lines()
    with contextlib.closing(shown):
        yield shown.update


class _Bars:
    def __init__(self) -> None:
        self._label = ""
        self._bar: Any = None
        self._note = ""
        self._drawn = 0.0

    def update(self, label: str, done: int, length: int, note: str) -> None:
        if label != self._label:
            self.close()
            self._label = label
            self._bar = click.progressbar(
                length=length, label=label, file=sys.stderr, item_show_func=lambda _: self._note, width=28
            )
            self._bar.__enter__()
        self._note = note
        if done >= length or time.monotonic() - self._drawn >= _REDRAW_EVERY_S:
            self._drawn = time.monotonic()
            self._bar.update(done - self._bar.pos, current_item=done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


class _Lines:
    def __init__(self) -> None:
        self._said = time.monotonic()
        self._last = ""

    def update(self, label: str, done: int, length: int, note: str) -> None:
        if done < length and time.monotonic() - self._said < _LINE_EVERY_S:
            return
        self._said = time.monotonic()
        self._last, before = f"{label} {done}/{length}  {note}".rstrip(), self._last
        if self._last != before:
            say(self._last)

    def close(self) -> None:
        """Do nothing: no bar is open."""
