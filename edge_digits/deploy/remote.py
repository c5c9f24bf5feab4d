"""Bring a bundle to a device over OpenSSH, measure there, and bring the evaluation back.

On the device, below the login folder unless another is named:

    edge-digits/bundles/STAMP/    a bundle, unpacked and checked
    edge-digits/current           a link to the one in use
    edge-digits/venv/             edge-digits and its dependencies
    edge-digits/.incoming-STAMP*  a copy under way

``current`` changes in one rename, and only when the new bundle has been copied whole, has the right checksums,
``edge-digits doctor`` finds no problem and the model has answered; whatever goes wrong before leaves the former
bundle in use.
"""

import datetime
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edge_digits_runtime.errors import DeployError, UsageError
from edge_digits_runtime.records import files
from edge_digits_runtime.records.evaluation import Evaluation

from edge_digits.deploy import bundle as bundles
from edge_digits.deploy.bundle import Bundle

REMOTE_FOLDER = "edge-digits"
OLDEST_PYTHON = (3, 11)
_SSH_FAILED = 255
"""The exit status with which ssh says that it, not the command, failed."""
_KEEPALIVE_S = 15
"""A device that has gone is noticed after three of these."""
_VENV = "venv/bin/python"
_EVALUATION = "evaluation.json"
_STILL = "what was in use there before still is"


@dataclass(frozen=True)
class Target:
    """Where to deploy to, and how to get there."""

    host: str
    """What one types behind ``ssh``: a name of the user's ssh configuration, or ``[user@]address``."""
    folder: str = REMOTE_FOLDER
    """On the device; relative to the login folder unless absolute."""
    port: int | None = None
    """None: the ssh configuration decides."""
    config: Path | None = None
    """An ssh configuration instead of the user's own."""

    def __post_init__(self) -> None:
        """Refuse what ssh would take for an option, or a shell on the way for more than a name.

        Raises:
            UsageError: the host or the folder is not allowed.
        """
        if not re.fullmatch(r"([^\s/@-][^\s/@]*@)?[^\s/@-][^\s/@]*", self.host):
            raise UsageError(f"host {self.host!r}: give a name or [user@]address as for ssh; options go before it")
        # scp's older protocol hands the path to a shell and its newer one does not, so no quoting is right for both.
        if not re.fullmatch(r"[\w./+][\w./+-]*", self.folder, re.ASCII):
            raise UsageError(f"remote folder {self.folder!r}: allowed are letters, digits and . _ - + /")

    @property
    def label(self) -> str:
        """The host without user and without what file names cannot hold."""
        return re.sub(r"[^\w.-]+", "-", self.host.rpartition("@")[2]).strip("-")

    @property
    def options(self) -> list[str]:
        """What ssh and scp both are given."""
        chosen = ["-o", f"ServerAliveInterval={_KEEPALIVE_S}"]
        chosen += ["-F", str(self.config)] if self.config else []
        return [*chosen, "-o", f"Port={self.port}"] if self.port else chosen

    def path(self, name: str) -> str:
        """A path below `folder` as scp wants it; a bare IPv6 address goes into brackets."""
        user, at, address = self.host.rpartition("@")
        if ":" in address and not address.startswith("["):
            address = f"[{address}]"
        return f"{user}{at}{address}:{self.folder}/{name}"


def deploy(
    bundle: Bundle,
    target: Target,
    out: Path,
    *,
    install: bool = True,
    python: str | None = None,
    allow_unverified: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Put ``bundle`` into use on the device, evaluate it there and write the evaluation to ``out``.

    Args:
        bundle: what to deploy; has to hold the wheels where ``install`` is asked for.
        target: the device.
        out: the evaluation file to write here, whole and checked or not at all.
        install: make or update the virtual environment on the device; else only see that edge-digits is there.
        python: on the device, a command or absolute path: the interpreter that makes the virtual environment
            (``python3`` by default), or without ``install`` the one that has edge-digits (that of the virtual
            environment by default).
        allow_unverified: evaluate a model that does not have the sha256 in its card.
        progress: called with one line before each step.

    Raises:
        DeployError: ssh or scp is missing here, or a step failed; the message names the step, the host, the exit
            status, what the device said last, and what to do.
    """
    # To the microsecond: one bundle may be deployed twice within a second.
    stamp = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S.%fZ}-{bundle.sha256[:8]}"
    base = python or "python3"
    program = base if python and not install else _VENV
    with _connected(target, progress or (lambda _: None)) as device:
        _prepare(device, base)
        _copy(device, bundle, stamp)
        _unpack(device, bundle, stamp, base)
        if install:
            _install(device, stamp, base)
        _check_version(device, program)
        _doctor(device, program)
        _try(device, stamp, program, allow_unverified)
        _switch(device, stamp)
        _evaluate(device, stamp, program, allow_unverified)
        return _fetch(device, bundle, stamp, out)


# --- the steps, in order


def _prepare(device: "_Device", python: str) -> None:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    probe = f'import sys; v = sys.version_info; v >= {OLDEST_PYTHON} or sys.exit("Python %d.%d is too old" % v[:2])'
    device.run(
        "connect",
        shlex.join([python, "-c", probe]),
        # What interrupted copies left behind; a day, since another copy may be under way.
        "find . -maxdepth 1 -name '.incoming-*' -mtime +0 -exec rm -rf {} +",
        advice=f"Python {oldest} or newer has to be there as {python}; name another with --python",
        make_folder=True,
    )


def _copy(device: "_Device", bundle: Bundle, stamp: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bundle.zip"
        bundle.save(file)
        size = f"{len(bundle.content):,} bytes"
        device.send("copy", file, f".incoming-{stamp}.zip", f"{_STILL}; try again", note=size)


def _unpack(device: "_Device", bundle: Bundle, stamp: str, python: str) -> None:
    incoming = f".incoming-{stamp}"
    device.run(
        "check and unpack",
        f"trap 'rm -rf {incoming} {incoming}.zip' EXIT",
        f"echo '{bundle.sha256}  {incoming}.zip' | sha256sum -c - >&2",
        f"{shlex.quote(python)} -m zipfile -e {incoming}.zip {incoming}",
        f"(cd {incoming}/{bundles.FOLDER} && sha256sum -c {bundles.SUMS}) >&2",
        f"mv -T {incoming}/{bundles.FOLDER} bundles/{stamp}",
        advice=f"{_STILL}; see that there is room on the disk and try again",
    )


def _install(device: "_Device", stamp: str, python: str) -> None:
    pip = f"{_VENV} -m pip install --quiet --disable-pip-version-check"
    wheels = f"bundles/{stamp}/{bundles.WHEELS}/*.whl"
    device.run(
        "install",
        f"{_VENV} -m pip --version >/dev/null 2>&1 || {shlex.quote(python)} -m venv --clear venv >&2",
        # Ours in any case, since a changed one may have the same version; then what they need and is not there yet.
        f"{pip} --no-deps --force-reinstall {wheels}",
        f"{pip} {wheels}",
        advice="see that python3-venv is installed there and that pip reaches its package index",
    )


def _check_version(device: "_Device", program: str) -> None:
    ours = importlib.metadata.version("edge-digits")
    probe = "import importlib.metadata as m; print(m.version('edge-digits'))"
    theirs = device.run(
        "check edge-digits",
        shlex.join([program, "-c", probe]),
        advice=f"leave out --no-install, or install edge-digits {ours} there and name its interpreter with --python",
    ).strip()
    if theirs != ours:
        raise DeployError(f"{device.target.host}: has edge-digits {theirs}, here is {ours}; leave out --no-install")


def _doctor(device: "_Device", program: str) -> None:
    answer = device.run(
        "doctor",
        # It fails where there is a problem, and the output says which; without any it could not even look.
        f'answer=$({_command(program)} doctor --json) || [ -n "$answer" ]',
        'printf "%s\\n" "$answer"',
        advice=_STILL,
    )
    problems = [check for check in json.loads(answer)["checks"] if check["status"] == "problem"]
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise DeployError(
            f"{device.target.host}: the doctor has a problem with {first['name']}{more}: {first['found']}; "
            f"{_STILL}; mend it there: {first['remedy']}"
        )


def _try(device: "_Device", stamp: str, program: str, allow_unverified: bool) -> None:
    folder = f"bundles/{stamp}"
    words = ["classify", f"{folder}/{bundles.SAMPLES}", "--model", f"{folder}/{bundles.MODEL}"]
    words += ["--allow-unverified"] * allow_unverified
    device.run("try the model", f"{_command(program)} {shlex.join(words)}", advice=f"{_STILL}; deploy another model")


def _switch(device: "_Device", stamp: str) -> None:
    device.run(
        "switch over",
        "former=$(readlink current || true)",
        f"ln -sfn bundles/{stamp} .current-{stamp}",
        f"mv -T .current-{stamp} current",
        # The former one stays, to go back to by hand.
        f'for each in bundles/*; do case $each in bundles/{stamp}|"$former") ;; *) rm -rf "$each" ;; esac; done',
        advice=f"{_STILL}; see that the folder can be written to",
    )


def _evaluate(device: "_Device", stamp: str, program: str, allow_unverified: bool) -> None:
    folder = f"bundles/{stamp}"
    words = ["evaluate", f"{folder}/{bundles.MODEL}", "--data", f"{folder}/{bundles.TEST}"]
    words += ["-o", f"{folder}/{_EVALUATION}"] + ["--allow-unverified"] * allow_unverified
    device.run(
        "evaluate",
        f"{_command(program)} {shlex.join(words)}",
        advice="the new bundle is in use there; log in and run the third command of its README.txt to see more",
        note="this takes a minute or more",
    )


def _fetch(device: "_Device", bundle: Bundle, stamp: str, out: Path) -> Evaluation:
    with files.replacing(out) as temporary:
        device.fetch("fetch the evaluation", f"bundles/{stamp}/{_EVALUATION}", temporary, "try again")
        evaluation = Evaluation.load(temporary)
        if (evaluation.model.sha256, evaluation.data.sha256) != (bundle.model_sha256, bundle.data_sha256):
            raise DeployError(f"{device.target.host}: the evaluation is of another model or other pictures; try again")
    return evaluation


def _command(program: str) -> str:
    """``edge-digits`` of the interpreter ``program``, wherever its scripts are."""
    return shlex.join([program, "-c", "from edge_digits.cli import main; main(prog_name='edge-digits')"])


# --- ssh and scp


@dataclass(frozen=True)
class _Device:
    """The open way to a target."""

    target: Target
    options: Sequence[str]
    """What ssh and scp are given, those of the target included."""
    progress: Callable[[str], None]

    def run(self, step: str, *commands: str, advice: str, note: str = "", make_folder: bool = False) -> str:
        """Run shell commands in the remote folder until one fails; what they print is returned."""
        folder = shlex.quote(self.target.folder)
        first = f"mkdir -p {folder}/bundles" if make_folder else ":"
        # The login shell may be any; it only has to start sh with one quoted argument on one line.
        script = shlex.join(["sh", "-c", "; ".join(["set -e", first, f"cd {folder}", *commands])])
        return self._call(step, ["ssh", "-T", *self.options, "--", self.target.host, script], advice, note)

    def send(self, step: str, file: Path, name: str, advice: str, note: str) -> None:
        """Copy ``file`` to ``name`` in the remote folder."""
        self._call(step, ["scp", "-q", *self.options, "--", str(file), self.target.path(name)], advice, note)

    def fetch(self, step: str, name: str, file: Path, advice: str) -> None:
        """Copy ``name`` in the remote folder to ``file``."""
        self._call(step, ["scp", "-q", *self.options, "--", self.target.path(name), str(file)], advice)

    def _call(self, step: str, command: Sequence[str], advice: str, note: str = "") -> str:
        self.progress(f"{self.target.host}: {step}" + (f" ({note})" if note else ""))
        # Files, since the shared connection goes on in the background and would keep a pipe open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors).returncode
            if status:
                if command[0] == "ssh" and status == _SSH_FAILED:
                    advice = f"check that 'ssh {self.target.host}' logs in, then try again"
                how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
                last = _last_line(errors) or _last_line(output) or "no message"
                raise DeployError(f"{self.target.host}: {step} failed ({how}): {last}; {advice}")
            output.seek(0)
            return output.read().decode(errors="replace")


@contextmanager
def _connected(target: Target, progress: Callable[[str], None]) -> Iterator[_Device]:
    """The way to ``target``; all steps share one login, so a password is asked for once."""
    for program in ("ssh", "scp"):
        if shutil.which(program) is None:
            raise DeployError(f"{program} is not on the PATH: install the OpenSSH client (openssh-client on Debian)")
    if os.name != "posix":
        # OpenSSH for Windows cannot share a connection: each step logs in.
        yield _Device(target, target.options, progress)
        return
    with tempfile.TemporaryDirectory(prefix="ed-") as folder:
        control = ["-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/s", "-o", "ControlPersist=60"]
        options = [*control, *target.options]
        try:
            yield _Device(target, options, progress)
        finally:
            subprocess.run(["ssh", *options, "-O", "exit", "--", target.host], capture_output=True)


def _last_line(stream: IO[bytes]) -> str:
    stream.seek(0)
    lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
