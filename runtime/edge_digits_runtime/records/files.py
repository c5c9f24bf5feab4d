"""Write files so that a reader never sees half of one."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends without an exception.

    After an exception or Ctrl-C the temporary file is removed and whatever was at ``path`` stays as it was.
    The temporary name keeps the suffix of ``path``, since some writers choose the format by it. Missing parent
    folders are made. A link stays one: what it points to is replaced. A device or a pipe, such as ``/dev/null``, is
    yielded itself.

    Raises:
        OSError: the folder cannot be made or written to, or the disk is full; its file name is ``path``.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not (target.is_file() or target.is_dir()):
        yield target
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the mode that an ordinary open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # The temporary name says nothing to a user, and a full disk names no file.
        if isinstance(error, OSError) and error.errno and error.filename in (None, name):
            error.filename = os.fspath(path)
        raise


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | os.PathLike[str], content: Any, indent: int | None = 2) -> None:
    """Write ``content`` as `json_bytes` to ``path``, whole or not at all."""
    write_bytes(path, json_bytes(content, indent))


def json_bytes(content: Any, indent: int | None = 2) -> bytes:
    """``content`` as UTF-8 JSON with a line end; NaN is an error, since JSON has none."""
    return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False).encode() + b"\n"
