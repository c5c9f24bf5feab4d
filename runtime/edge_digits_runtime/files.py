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
    folders are made.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the mode that an ordinary open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
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
