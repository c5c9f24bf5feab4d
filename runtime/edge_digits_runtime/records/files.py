"""Write files so that a reader never sees half of one."""

import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge_digits_runtime.errors import OutputError

_TEMPORARY = ".edge-digits-"
"""How the name of a file that is being written begins. Names that begin with a point are never taken for input."""
_claimed: dict[str, int] = {}
"""Descriptor of each folder that `claim` keeps."""
_NO_ROOM = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO") if hasattr(errno, name))
"""Errors of a write that name no file, since it was open already."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends without an exception.

    After an exception or Ctrl-C the temporary file is removed and whatever was at ``path`` stays as it was.
    The temporary name keeps the suffix of ``path``, since some writers choose the format by it. Missing parent
    folders are made. A link stays one: what it points to is replaced. A device or a pipe, such as ``/dev/null``, is
    yielded itself. A file that is replaced keeps its mode. What a process that was killed left behind in the folder is
    removed.

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
    _remove_stale(target.parent)
    try:
        descriptor, name = _locked_file(target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        with _writing(path, name):
            yield temporary
            temporary.chmod(_mode(target))
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def _mode(target: Path) -> int:
    """Return the mode of a file, or the one that an ordinary open() would give it; mkstemp makes files private."""
    with suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode) & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def lock(descriptor: int) -> bool | None:
    """Lock an open file for this process, until it is closed or the process ends, however it ends.

    Returns:
        False if another process has it locked. None where the system, or a network drive, has no such locks.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def claim(folder: Path) -> bool:
    """Keep a folder for this process until it ends, however it ends.

    Returns:
        False if another process has it. True where the system has no such locks, too.
    """
    key = os.path.realpath(folder)
    if key in _claimed:
        return True
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        # Not every system opens folders.
        return True
    if lock(descriptor) is False:
        os.close(descriptor)
        return False
    _claimed[key] = descriptor
    return True


def _locked_file(target: Path) -> tuple[int, str]:
    """Make a temporary file beside ``target`` that `_remove_stale` of no other process removes."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, suffix=target.suffix, dir=target.parent)
        # Another process may have found it before it was locked.
        if lock(descriptor) is not False and os.path.exists(name):  # noqa: PTH110
            return descriptor, name
        os.close(descriptor)


def _remove_stale(folder: Path) -> None:
    """Remove the temporary files that nobody writes any more."""
    with suppress(OSError):
        for left in folder.glob(f"{_TEMPORARY}*"):
            # It may be gone at this moment, or belong to another user.
            with suppress(OSError):
                descriptor = os.open(left, os.O_RDWR)
                try:
                    if lock(descriptor):
                        left.unlink()
                finally:
                    os.close(descriptor)


def check_writable(path: str | os.PathLike[str], folder: bool = False) -> None:
    """Check that a file can be written, or a folder be filled, as far as that can be told without doing it.

    Called before work that takes long; the disk may still fill up meanwhile.

    Raises:
        OutputError: a file is to be written where a folder is, or the reverse, or the folder that it would be made in
            is closed to this user.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not folder:
        if target.is_dir():
            raise OutputError(f"{path}: cannot be written: it is a folder; name a file")
        if not target.is_file():
            # A device or a pipe, which is written itself.
            _check_access(path, target, os.W_OK)
            return
    nearest = target if folder else target.parent
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise OutputError(f"{path}: cannot be written: {nearest} is no folder; choose another place")
    _check_access(path, nearest, os.W_OK | os.X_OK)


def _check_access(path: str | os.PathLike[str], place: Path, mode: int) -> None:
    if not os.access(place, mode):
        raise OutputError(f"{path}: cannot be written: {place} is closed to this user; choose another place")


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


def read_bytes(path: str | os.PathLike[str], most: int = 64 << 20) -> bytes:
    """Read a file that has at most so many bytes.

    Raises:
        OSError: it cannot be read, or is larger, which its ``strerror`` says.
    """
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MB", os.fspath(path))
    return content


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
