"""Keep what native code logs off the user's terminal.

TensorFlow, JAX and LiteRT write to the file descriptor of standard error, some of it before any of their settings is
read, so only a redirection of the descriptor keeps them silent. This is the one place that redirects it. It is part of
the runtime because the runtime needs it itself: each interpreter announces a delegate in a line that no setting turns
off. Training and conversion silence TensorFlow with it.
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from edge_digits_runtime.errors import EdgeDigitsError

_STDERR = 2

Keep = Callable[[bytes, BaseException | None], bytes]
"""Takes what was written in a block and the exception that ended it, if any; returns what to show of it."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hide everything that the process writes to standard error inside the block, and Python's warnings.

    All of it is shown after all if the block ends with an exception that is not an `EdgeDigitsError`: then it may
    name the cause. Standard error of other threads is hidden, too. Without a standard error nothing is shown.
    """
    with _redirected(_if_unexpected), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def without(line: bytes) -> Iterator[None]:
    """Hide each occurrence of ``line`` that is written to standard error inside the block; show the rest behind it."""
    with _redirected(lambda written, _error: written.replace(line, b"")):
        yield


def _if_unexpected(written: bytes, error: BaseException | None) -> bytes:
    return b"" if error is None or isinstance(error, EdgeDigitsError) else written


class _Log:
    """Takes the place of standard error while blocks are open, and gives it back when the last of them ends.

    Blocks may be nested, or overlap on several threads: if each saved and restored the descriptor by itself, two that
    overlap would leave it pointing to a log.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0

    def open(self) -> int:
        """Begin a block; return the length of the log so far."""
        with self._lock:
            if not self._blocks:
                self._redirect()
            self._blocks += 1
            return os.fstat(self._file).st_size

    def close(self, start: int, keep: Keep, error: BaseException | None) -> None:
        """End a block that began at length ``start``; what it keeps is left to the blocks around it, or shown."""
        with self._lock:
            start = min(start, os.fstat(self._file).st_size)
            kept = keep(self._read(start), error)
            self._blocks -= 1
            if self._blocks:
                os.ftruncate(self._file, start)
                os.lseek(self._file, 0, os.SEEK_END)
                _write(self._file, kept)
            else:
                self._restore(self._read(0)[:start] + kept)

    def _redirect(self) -> None:
        # A process that was started without standard error may have another file under its number, or none.
        try:
            self._real: int | None = os.dup(_STDERR)
        except OSError:
            self._real = None
            # The number is taken first, since the log must not get it.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != _STDERR:
                os.dup2(nowhere, _STDERR)
                os.close(nowhere)
        self._file = _memory_file()
        os.dup2(self._file, _STDERR)

    def _restore(self, kept: bytes) -> None:
        os.close(self._file)
        if self._real is None:
            os.close(_STDERR)
            return
        os.dup2(self._real, _STDERR)
        os.close(self._real)
        if sys.__stderr__ is not None:
            _write(_STDERR, kept)

    def _read(self, start: int) -> bytes:
        return os.pread(self._file, os.fstat(self._file).st_size - start, start)


_log = _Log()


@contextmanager
def _redirected(keep: Keep) -> Iterator[None]:
    """Hold back what is written to standard error inside the block and show what ``keep`` returns at its end."""
    _flush()
    start = _log.open()
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        # Python holds back what it has not flushed; without this it would appear after the block.
        _flush()
        _log.close(start, keep, error)


def _memory_file() -> int:
    """Return the descriptor of a new file, in memory where the system has that: a device's disk may be read-only."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stderr")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _flush() -> None:
    # Standard error may be closed, or its reader gone: neither is a reason to stop.
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def _write(descriptor: int, content: bytes) -> None:
    with suppress(OSError):
        while content:
            content = content[os.write(descriptor, content) :]
