"""Run a model that cannot be checked in a process of its own first, which it may kill."""

import subprocess
import sys
from collections.abc import Sequence

from edge_digits_runtime.errors import BackendError, ModelError
from edge_digits_runtime.model.backends import BACKENDS, Backend

_SECONDS = 60
_BATCHES = (None, 250)
"""As many pictures as `edge_digits_runtime.model.network` gives to one invocation."""


def run(content: bytes, name: str, backend: Backend) -> None:
    """Load and run a model on pictures of zeros, in a process of its own.

    Args:
        content: the file.
        name: what messages call it.
        backend: what runs it.

    Raises:
        ModelError: the process died or took too long. A model that only ends with an error ends with the same one here.
        BackendError: this Python does not know where its program is.
    """
    if not sys.executable:
        raise BackendError(f"{name}: cannot be tried in a process of its own, since sys.executable is empty")
    words = [sys.executable, "-c", f"import sys; from {__name__} import main; main(sys.argv)", backend.name]
    try:
        done = subprocess.run(words, input=content, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{name}: took more than {_SECONDS} s in a process of its own") from error
    if done.returncode:
        reason = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise ModelError(f"{name}: this model kills the process that runs it ({reason})")


def main(arguments: Sequence[str]) -> None:
    """Run the model on standard input with the backend that ``arguments`` name; what a process of `run` does."""
    content, backend = sys.stdin.buffer.read(), BACKENDS[arguments[1]]
    for batch in _BATCHES:
        try:
            interpreter = backend.interpreter(content, "the model", batch=batch)
            interpreter.invoke()
        except (ModelError, RuntimeError, ValueError):
            # The process that asked gets the same error, and says it.
            continue
