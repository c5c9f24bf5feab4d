"""Keep what native code logs off the user's terminal."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from edge_digits_runtime.errors import EdgeDigitsError

_STDERR = 2


@contextmanager
def quiet() -> Iterator[None]:
    """Swallow everything that the process writes to standard error inside the block, and Python's warnings.

    TensorFlow's C++ side logs to the file descriptor before any of its settings is read, so nothing above the
    descriptor keeps it silent. What was swallowed is written out after all if the block ends with an exception that
    is not an `EdgeDigitsError`: then it may hold the cause. Other threads' standard error is swallowed, too.
    """
    if sys.stderr is None:
        # A process without standard error shows nothing anyway.
        yield
        return
    sys.stderr.flush()
    saved = os.dup(_STDERR)
    try:
        with tempfile.TemporaryFile() as log:
            os.dup2(log.fileno(), _STDERR)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    yield
            except EdgeDigitsError:
                raise
            except BaseException:
                log.seek(0)
                os.write(saved, log.read())
                raise
            finally:
                # Python holds back what it has not flushed; without this it would appear after the block.
                sys.stderr.flush()
                os.dup2(saved, _STDERR)
    finally:
        os.close(saved)
