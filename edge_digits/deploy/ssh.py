"""A device that is reached over OpenSSH: run commands there, copy files to it and back."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge_digits_runtime.errors import DeployError, UsageError
from edge_digits_runtime.library_errors import JSON
from edge_digits_runtime.records import fields
from edge_digits_runtime.records.fields import FieldError

REMOTE_FOLDER = "edge-digits"
_SSH_FAILED = 255
"""Exit status of ssh if ssh itself failed, not the command."""
_MOST_PRINTED = 1 << 20
"""Bytes of what a step prints; the longest, 'doctor --json', prints some 4 KB."""
_MOST_WRITTEN = 64 << 20
"""Bytes that ssh or scp may write into one file here: what a device sends without end is cut off there. An evaluation
of 70,000 pictures has 13 MB."""
_LIMITED = ("sh", "-c", f'ulimit -f {_MOST_WRITTEN // 512}; exec "$@"', "sh")
"""Start of a command line that is held to `_MOST_WRITTEN`."""
_LAST_BYTES = 4096
_LONGEST_SHOWN = 60
"""Characters of an answer that a message repeats."""
_LONGEST_MESSAGE = 500
"""Characters of what a device printed last that a message repeats."""
_KEEPALIVE_S = 15
"""A lost connection is noticed after three times this many seconds."""


@dataclass(frozen=True)
class Target:
    """A device, and how to reach it."""

    host: str
    """The host as typed after ``ssh``: a name from the user's ssh configuration, or ``[user@]address``."""
    folder: str = REMOTE_FOLDER
    """Folder on the device, relative to the login folder unless absolute."""
    port: int | None = None
    """None for the port from the ssh configuration."""
    config: Path | None = None
    """An ssh configuration instead of the user's own."""

    def __post_init__(self) -> None:
        """Refuse what ssh would take for an option, or a shell for more than a name.

        Raises:
            UsageError: the host or the folder is not allowed.
        """
        if not re.fullmatch(r"([^\s/@-][^\s/@]*@)?[^\s/@-][^\s/@]*", self.host):
            raise UsageError(f"host {self.host!r}: give a name or [user@]address as for ssh; options go before it")
        # scp's older protocol hands the path to a shell and the newer one does not, so no quoting suits both.
        if not re.fullmatch(r"[\w./+][\w./+-]*", self.folder, re.ASCII):
            raise UsageError(f"remote folder {self.folder!r}: allowed are letters, digits and . _ - + /")

    @property
    def label(self) -> str:
        """The host without the user, and with a hyphen for what file names cannot hold."""
        return re.sub(r"[^\w.-]+", "-", self.host.rpartition("@")[2]).strip("-")

    @property
    def options(self) -> list[str]:
        """Options for both ssh and scp."""
        chosen = ["-o", f"ServerAliveInterval={_KEEPALIVE_S}"]
        chosen += ["-F", str(self.config)] if self.config else []
        return [*chosen, "-o", f"Port={self.port}"] if self.port else chosen

    def path(self, name: str) -> str:
        """Return the path of ``name`` in `folder` in the form of scp; a bare IPv6 address gets brackets."""
        user, at, address = self.host.rpartition("@")
        if ":" in address and not address.startswith("["):
            address = f"[{address}]"
        return f"{user}{at}{address}:{self.folder}/{name}"


@dataclass(frozen=True)
class Device:
    """An open connection to a target."""

    target: Target
    options: Sequence[str]
    """Options for ssh and scp, those of the target included."""
    progress: Callable[[str], None]
    """Called with one line before each step."""

    def run(self, step: str, *commands: str, advice: str, note: str = "", make_folder: bool = False) -> str:
        """Run shell commands in the remote folder until one fails, and return what they print.

        Args:
            step: name of the step in messages.
            commands: lines of a POSIX shell.
            advice: what to do if the step fails, for the error message.
            note: remark for the progress line.
            make_folder: make the remote folder if it does not exist.

        Raises:
            DeployError: a command failed; the message names the step, the host, the exit status and what the device
                printed last.
        """
        folder = shlex.quote(self.target.folder)
        first = f"mkdir -p {folder}/bundles" if make_folder else ":"
        # The login shell may be any; it only has to start sh with one quoted argument on one line.
        script = shlex.join(["sh", "-c", "; ".join(["set -e", first, f"cd {folder}", *commands])])
        return self._call(step, ["ssh", "-T", *self.options, "--", self.target.host, script], advice, note)

    def ask(self, step: str, *commands: str, advice: str) -> str:
        """Return the last line that shell commands print, as `run` does; empty if they print none.

        The start-up files of a shell may greet whoever logs in, and the answer comes after that.
        """
        lines = self.run(step, *commands, advice=advice).splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def ask_for(self, kind: Any, step: str, *commands: str, advice: str) -> Any:
        """Return the JSON that shell commands print in their last line, as ``kind``.

        Args:
            kind: a record, see `edge_digits_runtime.records.fields.read`.
            step: as in `run`.
            commands: as in `run`.
            advice: as in `run`.

        Raises:
            DeployError: as in `run`; or the line is no such record.
        """
        answer = self.ask(step, *commands, advice=advice)
        try:
            return fields.read(kind, json.loads(answer))
        except FieldError as error:
            problem = str(error)
        except JSON:
            problem = f"{answer[:_LONGEST_SHOWN]!r} is no JSON"
        raise DeployError(f"{self.target.host}: {step}: not what edge-digits answers there ({problem}); {advice}")

    def send(self, step: str, file: Path, name: str, advice: str, note: str) -> None:
        """Copy ``file`` to ``name`` in the remote folder.

        Raises:
            DeployError: as for `run`.
        """
        self._call(step, ["scp", "-q", *self.options, "--", str(file), self.target.path(name)], advice, note)

    def fetch(self, step: str, name: str, file: Path, advice: str) -> None:
        """Copy ``name`` in the remote folder to ``file``, 64 MB at most.

        Raises:
            DeployError: as for `run`.
        """
        self._call(step, ["scp", "-q", *self.options, "--", self.target.path(name), str(file)], advice)

    def _call(self, step: str, command: Sequence[str], advice: str, note: str = "") -> str:
        self.progress(f"{self.target.host}: {step}" + (f" ({note})" if note else ""))
        # Files, not pipes: the shared connection stays open in the background and would keep a pipe open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            limited = [*_LIMITED, *command] if os.name == "posix" else command
            status = subprocess.run(limited, stdin=subprocess.DEVNULL, stdout=output, stderr=errors).returncode
            output.seek(0)
            printed = output.read(_MOST_PRINTED + 1)
            if len(printed) > _MOST_PRINTED:
                raise DeployError(f"{self.target.host}: {step} printed more than {_MOST_PRINTED >> 20} MB; {advice}")
            if status:
                if command[0] == "ssh" and status == _SSH_FAILED:
                    advice = f"check that 'ssh {self.target.host}' logs in, then try again"
                how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
                last = (_last_line(errors) or _last_line(output) or "no message")[-_LONGEST_MESSAGE:]
                raise DeployError(f"{self.target.host}: {step} failed ({how}): {last}; {advice}")
            return printed.decode(errors="replace")


@contextmanager
def connected(target: Target, progress: Callable[[str], None]) -> Iterator[Device]:
    """Yield a connection to ``target``. All steps share one login, so a password is asked for once.

    Raises:
        DeployError: ssh or scp is not installed here.
    """
    for program in ("ssh", "scp"):
        if shutil.which(program) is None:
            raise DeployError(f"{program} is not on the PATH: install the OpenSSH client (openssh-client on Debian)")
    if os.name != "posix":
        # OpenSSH for Windows cannot share a connection: each step logs in.
        yield Device(target, target.options, progress)
        return
    with tempfile.TemporaryDirectory(prefix="ed-") as folder:
        control = ["-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/s", "-o", "ControlPersist=60"]
        options = [*control, *target.options]
        try:
            yield Device(target, options, progress)
        finally:
            with suppress(subprocess.TimeoutExpired):
                # Files, not pipes, for the reason in `Device`.
                nothing = subprocess.DEVNULL
                words = ["ssh", *options, "-O", "exit", "--", target.host]
                subprocess.run(words, stdin=nothing, stdout=nothing, stderr=nothing, timeout=_KEEPALIVE_S)


def _last_line(stream: IO[bytes]) -> str:
    # However much a device prints, only its end is looked at.
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LAST_BYTES))
    lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
