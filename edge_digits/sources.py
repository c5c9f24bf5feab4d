"""The pictures that a command line names: files, folders, patterns, standard input."""

import glob
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_digits_runtime.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image

STDIN = "-"
Source = Path | bytes | PictureError
"""A file, the content of one, or why there is none."""


def sources(arguments: tuple[str, ...]) -> Iterator[tuple[str, Source]]:
    """Name and source of each picture; an argument that leads to none yields the error in its place, so that the
    others are still done."""
    from edge_digits_runtime.image.picture import is_picture_name

    for argument in arguments:
        path = Path(argument)
        if argument == STDIN:
            yield STDIN, sys.stdin.buffer.read()
        elif path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and is_picture_name(p))
            if not inside:
                yield argument, PictureError(f"{argument}: no pictures in this folder")
            yield from ((str(p), p) for p in inside)
        elif glob.has_magic(argument) and not path.exists():
            # The shell expands patterns on most systems; a quoted one, or one on Windows, gets here.
            # Path.glob takes no absolute pattern.
            matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
            if not matches:
                yield argument, PictureError(f"{argument}: no file matches this pattern")
            yield from ((match, Path(match)) for match in matches)
        else:
            yield argument, path


def open_source(source: Source, shorter: int | None = None) -> "Image.Image":
    """Decode one of `sources`; ``shorter`` as of `edge_digits_runtime.image.picture.open_picture`, None for its
    default.

    Raises:
        PictureError: it cannot be read; the message begins with its name.
    """
    from edge_digits_runtime.image.picture import SHORTER_SIDE, open_picture

    if isinstance(source, PictureError):
        raise source
    try:
        return open_picture(source, SHORTER_SIDE if shorter is None else shorter)
    except PictureError as error:
        if isinstance(source, bytes):
            # Bytes have no name of their own.
            raise PictureError(f"standard input: {error}") from error
        raise


def flat_name(name: str) -> str:
    """The beginning of a file name for what is drawn of the picture ``name``: its folders and its suffix become part
    of it, so that equal names in two folders, and ``7.png`` and ``7.jpg`` in one, do not meet."""
    if name == STDIN:
        return "stdin"
    path = Path(name)
    return "-".join(part for part in path.relative_to(path.anchor).parts if part != "..")
