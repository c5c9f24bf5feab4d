"""The pictures that a command line names: files, folders, patterns, standard input."""

import glob
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_digits_runtime.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image

STDIN = "-"
Source = Path | bytes | PictureError
"""A file, the content of one, or the error that says why there is none."""

_BETWEEN_FOLDERS = "--"
_LONGEST = 100
"""Bytes of a name that `flat_name` returns, at most. File systems allow 255, of which some go to what is appended."""
_DIGEST = 12
"""Hexadecimal digits of the SHA-256 that makes a name unique."""
_UNSAFE = frozenset('<>:"/\\|?*')
"""Characters that a file name may not have on every system."""


def sources(arguments: tuple[str, ...]) -> Iterator[tuple[str, Source]]:
    """Yield name and source of each picture that the arguments lead to.

    Where an argument leads to no picture, or a folder in it cannot be read, a `PictureError` takes the place of the
    source, so that the other pictures are still done.
    """
    for argument in arguments:
        # `os.path` and not `Path`, whose methods raise on names that are too long or behind a locked folder.
        if argument == STDIN:
            yield STDIN, _standard_input()
        elif not argument:
            yield (
                argument,
                PictureError("'': names nothing; give a picture, a folder, a pattern or - for standard input"),
            )
        elif os.path.isdir(argument):  # noqa: PTH112
            yield from _inside(argument)
        elif glob.has_magic(argument) and not os.path.exists(argument):  # noqa: PTH110
            yield from _matching(argument)
        else:
            yield argument, Path(argument)


def _standard_input() -> Source:
    if sys.stdin is None:
        return PictureError("standard input: closed")
    from edge_digits_runtime.image.picture import read_stream

    try:
        return read_stream(sys.stdin.buffer)
    except PictureError as error:
        return PictureError(f"standard input: {error}")
    except OSError as error:
        return PictureError(f"standard input: cannot be read: {error.strerror}")


def _inside(folder: str) -> Iterator[tuple[str, Source]]:
    """Yield the pictures in ``folder`` and in those below it, sorted by path."""
    from edge_digits_runtime.image.picture import is_picture_name

    errors: list[OSError] = []
    pictures = [
        path
        for above, _, names in os.walk(folder, onerror=errors.append)
        for name in names
        # A broken link is kept: opening it says what is wrong. A pipe is left out: it would wait for a writer.
        if is_picture_name(path := Path(above, name)) and (not os.path.exists(path) or os.path.isfile(path))  # noqa: PTH110, PTH113
    ]
    yield from ((str(path), path) for path in sorted(pictures))
    for error in errors:
        yield error.filename, PictureError(f"{error.filename}: this folder cannot be read: {error.strerror}")
    if not pictures and not errors:
        yield folder, PictureError(f"{folder}: no pictures in this folder")


def _matching(pattern: str) -> Iterator[tuple[str, Source]]:
    """Yield the files that match ``pattern`` and the pictures in the folders that do, each once.

    The shell expands patterns on most systems; a quoted one, or one on Windows, gets here.
    """
    # Path.glob takes no absolute pattern.
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    if not matches:
        yield pattern, PictureError(f"{pattern}: no file matches this pattern")
    seen = set()
    for match in matches:
        found = _inside(match) if os.path.isdir(match) else [(match, Path(match))]  # noqa: PTH112
        for name, source in found:
            # `**` matches a folder and then each file in it.
            if Path(name) not in seen:
                seen.add(Path(name))
                yield name, source


def open_source(source: Source, shorter: int | None = None) -> "Image.Image":
    """Decode one of `sources`.

    Args:
        source: what `sources` yielded.
        shorter: as in `edge_digits_runtime.image.picture.open_picture`; None for the default there.

    Raises:
        PictureError: it cannot be read. The message begins with its name.
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
    """Return a file name of at most 100 bytes for what is drawn of the picture ``name``, different for each picture.

    A relative path is kept, with ``--`` between folders: ``scans/7.png`` becomes ``scans--7.png``. Any other path keeps
    its end and gets twelve digits of its SHA-256, so ``../7.png`` becomes ``7.png--`` and the digits. Others are paths
    that are absolute, too long, or have ``..``, ``--``, or characters that not every system allows.
    """
    if name == STDIN:
        return "stdin"
    path = Path(name)
    flat = _BETWEEN_FOLDERS.join(part for part in path.relative_to(path.anchor).parts if part != "..")
    clean = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in flat)
    if clean == flat != "stdin" and _is_reversible(flat, path):
        return flat
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    room = _LONGEST - len(_BETWEEN_FOLDERS) - _DIGEST
    end = clean.encode()[-room:].decode(errors="ignore")
    return f"{end}{_BETWEEN_FOLDERS}{digest}"


def _is_reversible(flat: str, path: Path) -> bool:
    """Return whether ``flat`` leads back to ``path`` and cannot be mistaken for a name with a digest."""
    with_digest = re.search(rf"{_BETWEEN_FOLDERS}[0-9a-f]{{{_DIGEST}}}$", flat)
    return tuple(flat.split(_BETWEEN_FOLDERS)) == path.parts and not with_digest and len(flat.encode()) <= _LONGEST
