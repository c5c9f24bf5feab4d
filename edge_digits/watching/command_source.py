"""The picture that a command writes to its standard output."""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

from edge_digits_runtime.errors import PictureError, UsageError, WatchError
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.meter.reading import SHORTER_SIDE

from edge_digits.watching.frames import MAX_BYTES, Frame

_LONGEST_S = 30.0
"""Seconds that a command may take."""


class CommandSource:
    """Runs a command, without a shell, for each picture.

    Raises:
        UsageError: the command is empty or has an open quotation mark.
    """

    live = True

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"exec:{command!r:.80}: {error}") from error
        if not self._words:
            raise UsageError("exec: names no command; give one such as exec:'rpicam-still -n -o -'")
        self.name = f"exec:{self._words[0]}"
        self._running: subprocess.Popen[bytes] | None = None

    def frames(self) -> Iterator[Frame]:
        """Yield the picture that the command writes now.

        Raises:
            WatchError: it cannot be started, fails, takes too long, or writes too much.
            PictureError: what it wrote is no picture.
        """
        at = time.time()
        try:
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # A group of its own, which ends as a whole: what a shell started would keep the pipe open.
                start_new_session=True,
            )
        except OSError as error:
            raise WatchError(f"{self.name}: cannot be started: {error.strerror}") from error
        self._running = process
        late = threading.Timer(_LONGEST_S, _end, [process])
        late.daemon = True
        late.start()
        try:
            assert process.stdout is not None
            content = process.stdout.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise WatchError(f"{self.name}: wrote more than {MAX_BYTES >> 20} MB")
            code = process.wait()
        finally:
            late.cancel()
            self._running = None
            # Also where this program is told to end meanwhile.
            _end(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if time.time() - at >= _LONGEST_S:
            raise WatchError(f"{self.name}: took more than {_LONGEST_S:.0f} s")
        if code != 0:
            raise WatchError(f"{self.name}: failed with exit code {code}")
        try:
            image = open_picture(content, SHORTER_SIDE)
        except PictureError as error:
            raise PictureError(f"{self.name}: {error}") from error
        yield Frame(at, self.name, image)

    def interrupt(self) -> None:
        """End the command that is running, if one is, so that a thread which waits for it goes on."""
        running = self._running
        if running is not None:
            _end(running)

    def close(self) -> None:
        """Do nothing: each command has ended."""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
