"""Write files so that a reader never sees half of one."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_digits_runtime.errors import OutputError

_NO_ROOM = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO") if hasattr(errno, name))
"""Errors of a write that name no file, since it was open already."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends without an exception.

    After an exception or Ctrl-C the temporary file is removed and whatever was at ``path`` stays as it was.
    The temporary name keeps the suffix of ``path``, since some writers choose the format by it. Missing parent
    folders are made. A link stays one: what it points to is replaced. A device or a pipe, such as ``/dev/null``, is
    yielded itself.

    Raises:
        OutputError: the folder cannot be made or written to, or the disk is full. Errors of other files in the block
            are passed on as they are.
    """
    target = Path(os.path.realpath(path))
    with _writing(path, os.fspath(target)):
        special = target.exists() and not (target.is_file() or target.is_dir())
    if special:
        with _writing(path, os.fspath(target)):
            yield target
        return
    make_folder(target.parent)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        with _writing(path, name):
            yield temporary
            # mkstemp makes the file private; give it the mode that an ordinary open() would have given.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make the folder ``path`` and those above it, where they are not there yet.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: this folder cannot be made: {error.strerror}") from error


@contextmanager
def _writing(path: str | os.PathLike[str], name: str) -> Iterator[None]:
    """Turn an error of the file ``name``, under which ``path`` is being written, into an `OutputError`."""
    try:
        yield
    except OSError as error:
        if error.filename == name or (error.filename is None and error.errno in _NO_ROOM):
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
        raise


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | os.PathLike[str], content: Any, indent: int | None = 2) -> None:
    """Write ``content`` as `json_bytes` to ``path``, whole or not at all."""
    write_bytes(path, json_bytes(content, indent))


def json_bytes(content: Any, indent: int | None = 2) -> bytes:
    """Return ``content`` as UTF-8 JSON with a line end; NaN is an error, since JSON has none."""
    return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False).encode() + b"\n"
