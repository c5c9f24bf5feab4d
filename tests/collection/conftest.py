"""A terminal to type into."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Terminal:
    """``edge-digits label FOLDER`` in a terminal of its own."""

    def __init__(self, folder: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
        code = f"import sys; sys.argv[1:] = ['label', {str(folder)!r}]; from edge_digits.cli import main; main()"
        self._ours, theirs = pty.openpty()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
        self._process = started([sys.executable, "-c", code], start_new_session=True, **streams)
        os.close(theirs)
        self._shown = b""

    def until(self, text: bytes) -> None:
        """Wait until ``text`` is shown, behind what was waited for before."""
        while text not in self._shown:
            assert select.select([self._ours], [], [], 60)[0], self._shown
            self._shown += os.read(self._ours, 65536)
        self._shown = self._shown.partition(text)[2]

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def ends(self) -> int:
        """Wait for the end of the command and return its exit code."""
        return self._process.wait(60)

    def close(self) -> None:
        """Take the terminal away."""
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path: Path, started: Callable[..., subprocess.Popen[str]]) -> Iterator[Callable[[], Terminal]]:
    """``terminal()``: a terminal in which the collection in ``tmp_path`` is labelled."""
    opened: list[Terminal] = []

    def start() -> Terminal:
        opened.append(Terminal(tmp_path, started))
        return opened[-1]

    yield start
    for each in opened:
        each.close()
