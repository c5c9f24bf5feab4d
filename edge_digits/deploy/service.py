"""Runs on the device: the service that answers there with the model in use.

It is run by systemd, as a service of the user, or where no systemd answers as a process of its own. Beside the bundles
lie ``service.json``, which says what was set up, ``service.env`` with the token of its clients, and ``service.log``.
"""

import argparse
import contextlib
import getpass
import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_digits_runtime.errors import EdgeDigitsError
from edge_digits_runtime.model.card import read_model_file

from edge_digits import systemd

RECORD, ENVIRONMENT, LOG, PID = "service.json", "service.env", "service.log", "service.pid"
UNIT = "edge-digits.service"
CURRENT = "current"
TOKEN = "EDGE_DIGITS_TOKEN"
"""Variable in `ENVIRONMENT` that ``serve`` takes the token from."""
MODULE = "edge_digits.deploy.switching"
"""Starts it anew, see there."""
LOOPBACK, PORT = "127.0.0.1", 8000
"""Where ``serve`` listens unless its options say otherwise."""
_ANSWERS_S = 60.0
"""Seconds in which a service must answer: on a Pi Zero 2 the imports alone take several."""
_ENDS_S = 15.0
_LARGEST_LOG = 1 << 20
_RUN = "from edge_digits.cli import main; main(prog_name='edge-digits')"


class ServiceError(Exception):
    """The service could not be started, or does not answer as it should."""


@dataclass(frozen=True)
class Service:
    """A service that is set up on this device."""

    folder: Path
    """The folder of edge-digits, absolute."""
    options: tuple[str, ...]
    """Options of ``edge-digits serve``."""
    python: str
    """The interpreter that has edge-digits, absolute."""

    @property
    def command(self) -> list[str]:
        """The command line, without the token."""
        model = str(self.folder / CURRENT / "model.tflite")
        return [self.python, "-c", _RUN, "serve", "--model", model, *self.options]

    @property
    def address(self) -> tuple[str, int]:
        """Where this device reaches it."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--host", default=LOOPBACK)
        parser.add_argument("--port", type=int, default=PORT)
        found, _ = parser.parse_known_args(self.options)
        unspecified = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}
        return unspecified.get(found.host, found.host), found.port

    @property
    def url(self) -> str:
        """The same as an address to open."""
        host, port = self.address
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def save(self) -> None:
        """Write `RECORD`."""
        write(self.folder / RECORD, json.dumps({"options": self.options, "python": self.python}), 0o644)

    @classmethod
    def load(cls, folder: Path) -> "Service | None":
        """Read `RECORD`; None where no service is set up."""
        try:
            values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            return cls(folder, tuple(map(str, values["options"])), str(values["python"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError(f"{folder / RECORD} is damaged; deploy with --serve again") from error


def status(folder: Path) -> list[str]:
    """Return a line on what the service does; none where none is set up."""
    service = Service.load(folder)
    if service is None:
        return []
    try:
        _check(service, _digest(folder))
    except ServiceError as error:
        return [f"the service at {service.url} does not answer as it should: {error}"]
    return [f"the service answers at {service.url}"]


def restart(folder: Path) -> list[str]:
    """Start the service anew, if one is set up, and return lines for the user.

    Raises:
        ServiceError: it does not answer.
    """
    service = Service.load(folder)
    return [] if service is None else [f"the service answers at {service.url}", *start(service)]


def start(service: Service) -> list[str]:
    """Start the service anew, wait until it answers with the model in use, and return what is to be known of it.

    Raises:
        ServiceError: it does not.
    """
    _shorten(service.folder / LOG)
    digest = _digest(service.folder)
    alive, notes = _start_by_systemd(service) if _has_systemd() else _start_alone(service)
    end = time.monotonic() + _ANSWERS_S
    while True:
        try:
            _check(service, digest)
        except ServiceError as error:
            # A process that has ended will not answer any more.
            running = alive()
            if running and time.monotonic() < end:
                time.sleep(0.2)
                continue
            why = f"it ended: {_last_line(service.folder / LOG)}" if not running else str(error)
            raise ServiceError(f"the service does not answer with this model: {why}") from error
        service.save()
        return notes


def _check(service: Service, digest: str) -> None:
    """Ask the service how it is.

    Raises:
        ServiceError: it is not well, or answers with another model than that with ``digest``.
    """
    host, port = service.address
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        about = json.loads(answer.read(1 << 16))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServiceError(f"{service.url}healthz: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(about, dict):
        raise ServiceError(f"{service.url}healthz: status {answer.status}")
    if about.get("sha256") != digest:
        raise ServiceError(f"{service.url}healthz: answers with another model, or it is another service")


def _has_systemd() -> bool:
    """Return whether systemd runs services of this user."""
    if shutil.which("systemctl") is None:
        return False
    # Over ssh the variable is missing where PAM does not set it.
    os.environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    return _systemctl("show-environment").returncode == 0


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", "--user", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def _start_by_systemd(service: Service) -> tuple[Callable[[], bool], list[str]]:
    """Let systemd start the service; return a function that says whether it runs, and notes for the user."""
    unit = Path.home() / ".config" / "systemd" / "user" / UNIT
    unit.parent.mkdir(parents=True, exist_ok=True)
    write(unit, _unit(service), 0o644)
    # One that was started while there was no systemd.
    _stop_alone(service.folder)
    for words in (["daemon-reload"], ["enable", UNIT], ["restart", UNIT]):
        done = _systemctl(*words)
        if done.returncode:
            raise ServiceError(f"systemctl --user {' '.join(words)}: {one_line(done.stderr) or done.returncode}")
    # Without it the service ends when the user logs out, and does not start with the device.
    lingering = subprocess.run(["loginctl", "enable-linger"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    command = f"sudo loginctl enable-linger {getpass.getuser()}"
    notes = [f"so that the service starts with the device, type there: {command}"] if lingering.returncode else []
    return lambda: _systemctl("is-active", UNIT).stdout.strip() in ("active", "activating", "reloading"), notes


def _unit(service: Service) -> str:
    """Return the unit of systemd."""
    folder = systemd.path(str(service.folder))
    return (
        "[Unit]\nDescription=edge-digits serve\n\n[Service]\n"
        f"ExecStart={' '.join(map(systemd.quoted, service.command))}\n"
        f"WorkingDirectory={folder}\nEnvironmentFile=-{folder}/{ENVIRONMENT}\n"
        f"StandardOutput=append:{folder}/{LOG}\nStandardError=append:{folder}/{LOG}\n"
        "Restart=on-failure\nRestartSec=2\n\n[Install]\nWantedBy=default.target\n"
    )


def _start_alone(service: Service) -> tuple[Callable[[], bool], list[str]]:
    """Start the service as a process that goes on when this login ends; return as `_start_by_systemd` does."""
    _stop_alone(service.folder)
    log = service.folder / LOG
    with log.open("ab") as stream:
        process = subprocess.Popen(
            service.command,
            cwd=service.folder,
            env=os.environ | _environment(service.folder),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    write(service.folder / PID, str(process.pid), 0o644)
    command = f"cd {shlex.quote(str(service.folder))} && {shlex.quote(service.python)} -m {MODULE} restart"
    note = (
        f"no systemd runs services of {getpass.getuser()} there, so nothing starts it again: put this line into the "
        f"crontab there to have it started with the device: @reboot {command}"
    )
    return lambda: process.poll() is None, [note]


def _environment(folder: Path) -> Mapping[str, str]:
    """Return the variables in `ENVIRONMENT`."""
    try:
        lines = (folder / ENVIRONMENT).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def stop(service: Service) -> None:
    """End the service."""
    if _has_systemd():
        _systemctl("stop", UNIT)
    _stop_alone(service.folder)


def forget(service: Service) -> None:
    """Let systemd not start a service any more."""
    if _has_systemd():
        _systemctl("disable", UNIT)
    (service.folder / RECORD).unlink(missing_ok=True)


def known(folder: Path) -> Service | None:
    with contextlib.suppress(ServiceError):
        return Service.load(folder)
    return None


def _stop_alone(folder: Path) -> None:
    """End the process of the service, if it is one and runs."""
    try:
        pid = int((folder / PID).read_text(encoding="utf-8"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        pid, command = 0, b""
    # The number may have gone to another process since.
    if b"serve" in command.split(b"\0") and os.fsencode(folder / CURRENT) in command:
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, ending)
            end = time.monotonic() + _ENDS_S
            while _runs(pid) and time.monotonic() < end:
                time.sleep(0.05)
    (folder / PID).unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return Path(f"/proc/{pid}").exists()


def _digest(folder: Path) -> str:
    try:
        return read_model_file(folder / CURRENT / "model.tflite", allow_unverified=True).sha256
    except EdgeDigitsError as error:
        raise ServiceError(str(error)) from error


def write(path: Path, text: str, mode: int) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(text)
    new.replace(path)


def _shorten(log: Path) -> None:
    """Keep a log from filling the disk."""
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.write_bytes(log.read_bytes()[-_LARGEST_LOG // 2 :])


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "it left no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")


def one_line(text: str) -> str:
    return " ".join(text.split())
