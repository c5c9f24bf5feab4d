"""``edge-digits label``."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from edge_digits_runtime.errors import UsageError

from edge_digits.formatting import counted, percent
from edge_digits.options import UserPath
from edge_digits.printing import printable
from edge_digits.progress import say

if TYPE_CHECKING:
    from edge_digits.collection.store import Collection, Item

_SKIP, _UNDO, _RIGHT, _QUIT = " ", ("\x7f", "\x08"), ("\r", "\n"), ("\x1b", "\x04", "\x03")
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""Keys of classes whose names are longer than one character."""
_SIDE, _LINE_SIDE = 48, 100
"""Columns that a picture, or a line of numbers, takes in the terminal at most; two rows of pixels are one of text."""
_SKIP_LINE, _UNDO_LINE = " ", "<"


@click.command()
@click.argument("folder", type=UserPath(file_okay=False), metavar="DIR")
@click.option("--list", "only_list", is_flag=True, help="Print what waits for a label, and label nothing.")
def label(folder: Path, only_list: bool) -> int:
    """Label what 'classify', 'serve' and 'read' kept in DIR with --collect, one at a time, in the terminal.

    The answers that the model was surest of come first: if one is wrong, it learns most from it. A key gives the class,
    Return says that the model is right, the space bar skips, Backspace takes the last label back, Escape ends. Each
    label is on the disk before the next picture is shown. DIR then has a folder for each class and groups.csv, as
    'train --data DIR' reads it.

    Of lines that 'read' kept, what is written there is typed; Return alone says that the reading is right, a space
    skips, < takes the last one back, and Ctrl-D ends. DIR then has lines.csv, as 'evaluate --data DIR' reads it.

    \b
    Example:
      edge-digits classify scans --collect kept
      edge-digits label kept
    """
    from edge_digits.collection.lines import LineCollection
    from edge_digits.collection.store import COLLECTED, Collection, kind_of

    if not (folder / COLLECTED).is_dir():
        raise UsageError(
            f"{folder}: no collection; 'classify --collect {folder}' or 'serve --collect {folder}' makes one"
        )
    lines = kind_of(folder) == LineCollection.kind
    what = "line" if lines else "picture"
    collection = LineCollection(folder) if lines else Collection(folder)
    waiting = collection.waiting()
    if only_list:
        for item in waiting:
            click.echo(f"{item.id}  {_said(item)}")
    elif not waiting:
        say(f"{printable(folder)}: nothing waits for a label")
    elif sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("label needs a terminal" + ("" if lines else "; 'serve --collect' has the same on its page"))
    elif lines:
        _label_lines(collection, waiting)
    else:
        _label_all(collection, waiting)
    say(
        f"{printable(folder)}: "
        f"{counted(len(collection.labelled()), what)} labelled, {len(collection.waiting())} waiting"
    )
    return 0


def _label_all(collection: "Collection", waiting: "Sequence[Item]") -> None:
    """Show one picture after the other and store what the user says."""
    left: list[Item] = list(waiting)
    done: list[Item] = []
    while left:
        item = left[0]
        keys = _keys(item.classes)
        click.echo(f"\n{_drawn(collection.picture(item))}\n{len(left)} left. The model says {_said(item)}")
        click.echo(_legend(keys))
        key = click.getchar()
        if key in _QUIT:
            return
        if key == _SKIP:
            left.append(left.pop(0))
        elif key in _UNDO:
            if done:
                left.insert(0, done.pop())
                collection.unlabel(left[0])
        elif key in keys or key in _RIGHT:
            given = item.said if key in _RIGHT else keys[key]
            collection.label(item, given)
            click.echo(f"-> {printable(given)}")
            done.append(left.pop(0))
        else:
            click.echo("no class has this key")


def _label_lines(collection: "Collection", waiting: "Sequence[Item]") -> None:
    """Show one line after the other and store what the user types."""
    left: list[Item] = list(waiting)
    done: list[Item] = []
    click.echo("Type what is written. Return alone: as it was read; a space: skip; <: take one back; Ctrl-D: end")
    while left:
        item = left[0]
        click.echo(f"\n{_drawn(collection.picture(item), _LINE_SIDE)}\n{len(left)} left. Read as {_said(item)}")
        typed = sys.stdin.readline()
        if not typed:
            return
        text = typed.rstrip("\r\n")
        if text == _SKIP_LINE:
            left.append(left.pop(0))
        elif text == _UNDO_LINE:
            if done:
                left.insert(0, done.pop())
                collection.unlabel(left[0])
        else:
            given = " ".join((text or item.said).split())
            if not text and "?" in given:
                click.echo("a ? stands for what could not be read: type what is written there")
                continue
            try:
                collection.label(item, given)
            except UsageError as error:
                click.echo(str(error))
                continue
            click.echo(f"-> {printable(given)}")
            done.append(left.pop(0))


def _keys(classes: "Sequence[str]") -> dict[str, str]:
    """Return the class of each key: its name where it has one character, else a digit or letter in order.

    Raises:
        UsageError: more classes than keys.
    """
    if all(len(name) == 1 for name in classes):
        return {name: name for name in classes}
    if len(classes) > len(_LETTERS):
        raise UsageError(f"{len(classes)} classes are more than there are keys: label them on the page of 'serve'")
    return dict(zip(_LETTERS, classes, strict=False))


def _legend(keys: dict[str, str]) -> str:
    if all(key == name for key, name in keys.items()):
        classes = f"{''.join(keys)} its class"
    else:
        classes = ", ".join(f"{key} {printable(name)}" for key, name in keys.items())
    return f"{classes}; Return right, Space skip, Backspace undo, Escape end"


def _said(item: "Item") -> str:
    doubt = "" if item.reason is None else f", not sure: {item.reason}"
    return printable(f"{item.said} ({percent(item.confidence, 1)}{doubt})")


def _drawn(content: bytes, side: int = _SIDE) -> str:
    """Return a picture as text in grey: the upper half of each character is one pixel, its paper the one below."""
    from edge_digits_runtime.image.picture import open_picture

    image = open_picture(content).convert("L")
    scale = side / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    image = image.resize((width, height + height % 2))
    grey = image.load()
    assert grey is not None

    def cell(x: int, y: int) -> str:
        above, below = grey[x, y], grey[x, y + 1]
        return f"\x1b[38;2;{above};{above};{above};48;2;{below};{below};{below}m▀"

    rows = ["".join(cell(x, y) for x in range(width)) for y in range(0, image.height, 2)]
    return "".join(f"{row}\x1b[0m\n" for row in rows)
