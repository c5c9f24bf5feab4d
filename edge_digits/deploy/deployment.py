"""Bring a bundle to a device over OpenSSH, measure it there, and bring the evaluation back.

On the device, in the login folder unless another one is given:

    edge-digits/bundles/STAMP/            a bundle, unpacked and checked; its name is unique
    edge-digits/bundles/STAMP/.deploying  there until its deployment has ended
    edge-digits/current                   a link to the bundle in use
    edge-digits/venv/                     edge-digits and its dependencies
    edge-digits/service.*                 the service, where one was asked for: `edge_digits.deploy.service`
    edge-digits/.incoming-STAMP*          a copy in progress

``current`` changes in one rename, and only after the new bundle was copied completely, its checksums matched,
``edge-digits doctor`` found no problem and the model answered. If anything fails before that, the former bundle stays
in use. Where a service answers with the model in use, the new one stays only if the service answers with it.

Several deployments to one device may run at the same time. None removes the bundle of another, and they take turns to
install and to measure, since they share the virtual environment and the processor.
"""

import datetime
import secrets
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from edge_digits_runtime import installation
from edge_digits_runtime.errors import DeployError, EvaluationError
from edge_digits_runtime.records import files
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.fields import Length, Line, Name

from edge_digits.deploy import bundle as bundles
from edge_digits.deploy import service
from edge_digits.deploy.bundle import Bundle
from edge_digits.deploy.ssh import Device, Target, connected
from edge_digits.deploy.switching import DEPLOYING
from edge_digits.deploy.wheels import SUMS
from edge_digits.printing import printable

OLDEST_PYTHON = (3, 11)
_VENV = "venv/bin/python"
_EVALUATION = "evaluation.json"
_KEPT = "the former bundle is still in use there"
_TURN = "exec 9< .; if command -v flock > /dev/null; then flock 9; fi"
"""Wait until no other deployment holds the lock on the folder, and hold it until this command ends or is killed.

Without flock, which is in util-linux, deployments do not take turns.
"""
_CLEAN_UP_TIMEOUT_S = 10
_PROBE = "from edge_digits_runtime import installation as i; print(*map(i.build, ('edge-digits', i.RUNTIME)))"
"""Prints version and code of both distributions, see `edge_digits_runtime.installation.build`."""


def deploy(
    bundle: Bundle,
    target: Target,
    output: Path,
    *,
    install: bool = True,
    python: str | None = None,
    allow_unverified: bool = False,
    progress: Callable[[str], None] | None = None,
    afterwards: Callable[[Device, str, str, Evaluation], None] | None = None,
    serve: "Serve | None" = None,
) -> Evaluation:
    """Put ``bundle`` into use on the device, evaluate it there and write the evaluation to ``output``.

    Args:
        bundle: the bundle; must hold the wheels if ``install`` is True.
        target: the device.
        output: the evaluation file to write here, whole and checked or not at all.
        install: make or update the virtual environment on the device; else only check that edge-digits is there.
        python: command or absolute path on the device: with ``install`` the interpreter that makes the virtual
            environment, ``python3`` by default; without it the interpreter that has edge-digits, by default that of
            the virtual environment.
        allow_unverified: evaluate a model that does not have the sha256 in its card.
        progress: called with one line before each step.
        afterwards: called at the end over the same login, with the connection, the folder of the bundle and the Python
            of edge-digits there, and the evaluation.
        serve: set up a service there; None to leave what is there, and to restart it if there is one.

    Raises:
        DeployError: ssh or scp is missing here, or a step failed; the message names the step, the host, the exit
            status, what the device printed last, and what to do.
    """
    # The time sorts bundles by age; the random part keeps two deployments apart that start at the same moment.
    stamp = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S.%fZ}-{bundle.sha256[:8]}-{secrets.token_hex(4)}"
    base = python or "python3"
    program = base if python and not install else _VENV
    with connected(target, progress or (lambda _: None)) as device:
        _prepare(device, base)
        _copy(device, bundle, stamp)
        with _deploying(device, stamp):
            _unpack(device, bundle, stamp, base)
            if install:
                _install(device, stamp, base)
            _check_version(device, program)
            _doctor(device, program)
            _try(device, stamp, program, allow_unverified)
            _switch(device, stamp, program, serve)
            _evaluate(device, stamp, program, allow_unverified)
            evaluation = _fetch(device, bundle, stamp, output)
            if afterwards is not None:
                afterwards(device, f"bundles/{stamp}", program, evaluation)
            return evaluation


@dataclass(frozen=True)
class Serve:
    """A service that a device is to have."""

    options: Sequence[str] = ()
    """Options of ``edge-digits serve`` but for the token."""
    token: str | None = None
    """The secret that its clients must show; None if it needs none."""


# --- the steps, in order


def _prepare(device: Device, python: str) -> None:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    probe = f'import sys; v = sys.version_info; v >= {OLDEST_PYTHON} or sys.exit("Python %d.%d is too old" % v[:2])'
    device.run(
        "connect",
        shlex.join([python, "-c", probe]),
        # What interrupted copies left behind; only after a day, since another copy may be in progress.
        "find . -maxdepth 1 -name '.incoming-*' -mtime +0 -exec rm -rf {} +",
        advice=f"Python {oldest} or newer must be installed there as {python}; name another with --python",
        make_folder=True,
    )


def _copy(device: Device, bundle: Bundle, stamp: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bundle.zip"
        bundle.save(file)
        size = f"{len(bundle.content):,} bytes"
        device.send("copy", file, f".incoming-{stamp}.zip", f"{_KEPT}; try again", note=size)


@contextmanager
def _deploying(device: Device, stamp: str) -> Iterator[None]:
    """Remove the mark of a deployment that `_unpack` sets when the deployment ends, if the device can be reached."""
    try:
        yield
    finally:
        options = [*device.options, "-o", f"ConnectTimeout={_CLEAN_UP_TIMEOUT_S}"]
        quiet = Device(device.target, options, lambda _: None)
        with suppress(DeployError):
            quiet.run("clean up", f"rm -f bundles/{stamp}/{DEPLOYING}", advice="")


def _unpack(device: Device, bundle: Bundle, stamp: str, python: str) -> None:
    incoming = f".incoming-{stamp}"
    device.run(
        "check and unpack",
        f"trap 'rm -rf {incoming} {incoming}.zip' EXIT",
        f"echo '{bundle.sha256}  {incoming}.zip' | sha256sum -c - >&2",
        f"{shlex.quote(python)} -m zipfile -e {incoming}.zip {incoming}",
        f"(cd {incoming}/{bundles.FOLDER} && sha256sum -c {SUMS}) >&2",
        f"touch {incoming}/{bundles.FOLDER}/{DEPLOYING}",
        f"mv -T {incoming}/{bundles.FOLDER} bundles/{stamp}",
        advice=f"{_KEPT}; check that there is room on the disk and try again",
    )


def _install(device: Device, stamp: str, python: str) -> None:
    pip = f"{_VENV} -m pip install --quiet --disable-pip-version-check"
    wheels = f"-c bundles/{stamp}/{bundles.CONSTRAINTS} bundles/{stamp}/{bundles.WHEELS}/*.whl"
    device.run(
        "install",
        _TURN,
        f"{_VENV} -m pip --version >/dev/null 2>&1 || {shlex.quote(python)} -m venv --clear venv >&2",
        f"{pip} {wheels}",
        advice="check that python3-venv is installed there and that pip reaches its package index",
    )


def _check_version(device: Device, program: str) -> None:
    ours = _builds()
    theirs = device.ask(
        "check edge-digits",
        _TURN,
        shlex.join([program, "-c", _PROBE]),
        advice="leave out --no-install, or install the edge-digits of this machine there and name its interpreter with "
        "--python",
    )
    if theirs != ours:
        raise DeployError(
            f"{device.target.host}: has edge-digits and its runtime {theirs[:100]}, here are {ours}; "
            "leave out --no-install"
        )


def _builds() -> str:
    """Return what `_PROBE` prints where the code is that of this machine."""
    return f"{installation.build('edge-digits')} {installation.build(installation.RUNTIME)}"


class _Check(TypedDict):
    """What 'doctor --json' says of one thing; there may be more in it."""

    name: Name
    status: Literal["ok", "warning", "problem"]
    found: Line
    remedy: Line | None


class _Examined(TypedDict):
    checks: list[_Check]


def _doctor(device: Device, program: str) -> None:
    answer: _Examined = device.ask_for(
        _Examined,
        "doctor",
        _TURN,
        # If it finds a problem it fails and prints which; if it prints nothing, it could not even start.
        f'answer=$({command_line(program)} doctor --json) || [ -n "$answer" ]',
        'printf "%s\\n" "$answer"',
        advice=_KEPT,
    )
    problems = [check for check in answer["checks"] if check["status"] == "problem"]
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise DeployError(
            f"{device.target.host}: the doctor has a problem with {first['name']}{more}: {first['found']}; "
            f"{_KEPT}; fix it there: {first['remedy']}"
        )


def _try(device: Device, stamp: str, program: str, allow_unverified: bool) -> None:
    folder = f"bundles/{stamp}"
    options = ["--allow-unverified"] if allow_unverified else []
    command = bundles.trial(command_line(program), folder, *options)
    device.run("try the model", _TURN, command, advice=f"{_KEPT}; deploy another model")


def _switch(device: Device, stamp: str, program: str, serve: Serve | None) -> None:
    words = []
    if serve is not None and serve.token is not None:
        environment = f".incoming-{stamp}.env"
        device.run("make room for the token", f"umask 077; : > {environment}", advice=_KEPT)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "token"
            file.write_text(f"{service.TOKEN}={serve.token}\n", encoding="utf-8")
            # As a file, not in a command line, which other users of the device see.
            device.send("leave the token", file, environment, _KEPT, note="")
        words += ["--environment", environment]
    if serve is not None:
        words += ["--serve", *serve.options]
    for line in use(device, stamp, program, words):
        device.progress(f"{device.target.host}: {printable(line)}")


Said = Annotated[list[Line], Length(0, 8)]
"""What `edge_digits.deploy.switching` prints."""


def use(device: Device, stamp: str, program: str, words: Sequence[str] = ()) -> list[str]:
    """Put a bundle that is there into use, as `edge_digits.deploy.switching` does, and return what it says."""
    command = shlex.join([program, "-m", service.MODULE, "use", f"bundles/{stamp}", *words])
    advice = f"{service.LOG} there says more; deploy again"
    lines: list[str] = device.ask_for(Said, "switch over", command, advice=advice)
    return lines


def _evaluate(device: Device, stamp: str, program: str, allow_unverified: bool) -> None:
    folder = f"bundles/{stamp}"
    words = ["evaluate", f"{folder}/{bundles.MODEL}", "--data", f"{folder}/{bundles.TEST}"]
    words += ["-o", f"{folder}/{_EVALUATION}"]
    words += ["--allow-unverified"] if allow_unverified else []
    ours = _builds()
    device.run(
        "evaluate",
        _TURN,
        f"theirs=$({shlex.join([program, '-c', _PROBE])})",
        f'[ "$theirs" = "{ours}" ] || {{ echo "another deployment has installed edge-digits $theirs" >&2; exit 1; }}',
        f"{command_line(program)} {shlex.join(words)}",
        advice="the new bundle is in use there; log in and run the third command of its README.txt to see more",
        note="this takes a minute or more",
    )


def _fetch(device: Device, bundle: Bundle, stamp: str, output: Path) -> Evaluation:
    with files.replacing(output) as temporary:
        device.fetch("fetch the evaluation", f"bundles/{stamp}/{_EVALUATION}", temporary, "try again")
        try:
            evaluation = Evaluation.load(temporary)
        except EvaluationError as error:
            found = str(error).removeprefix(f"{temporary}: ")
            raise DeployError(f"{device.target.host}: what it sent is no evaluation: {found}; try again") from error
        if (evaluation.model.sha256, evaluation.data.sha256) != (bundle.model_sha256, bundle.data_sha256):
            raise DeployError(f"{device.target.host}: the evaluation is of another model or other pictures; try again")
    return evaluation


def command_line(program: str) -> str:
    """Return the command line of ``edge-digits`` with the interpreter ``program``, wherever its scripts are."""
    return shlex.join([program, "-c", "from edge_digits.cli import main; main(prog_name='edge-digits')"])
