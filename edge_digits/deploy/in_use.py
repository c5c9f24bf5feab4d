"""What is in use on a device, and the way back to what was in use before."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from edge_digits_runtime.errors import DeployError
from edge_digits_runtime.records.fields import Name, Share

from edge_digits.deploy import bundle as bundles
from edge_digits.deploy import service
from edge_digits.deploy.deployment import Said, command_line, use
from edge_digits.deploy.ssh import Device, Target, connected
from edge_digits.formatting import percent
from edge_digits.printing import printable

_LARGEST = 4096
"""Bytes of an answer of a device that are read."""
_ABOUT = (
    "import json, os; p = os.path.realpath('current'); f = p + '/evaluation.json'; "
    "e = json.load(open(f)) if os.path.exists(f) else {}; m = e.get('model', {}); "
    "print(json.dumps({'bundle': os.path.basename(p), 'model': m.get('name', '-'), 'scheme': m.get('scheme', '-'), "
    "'sha256': m.get('sha256', '-'), 'accuracy': e.get('accuracy')}))"
)
"""Prints what is known of the bundle in use. On one line, since the login shell may be any."""
_VERSION = "from importlib.metadata import version; print(version('edge-digits'))"
_VENV = "venv/bin/python"


@dataclass(frozen=True)
class InUse:
    """The bundle in use on a device, as the device says."""

    bundle: Name
    """Its folder there, which begins with the time when it was put there, ``20260501T123000.000000Z``."""
    model: Name
    """Name of its model; ``-`` if it was not evaluated there."""
    scheme: Name
    sha256: Name
    """Of the flatbuffer of its model."""
    accuracy: Share | None
    """Share of right answers that was measured there, in [0, 1]."""

    @property
    def since(self) -> str:
        """When it was put into use: ``2026-05-01 12:30 UTC``."""
        stamp = self.bundle
        if not (len(stamp) > 13 and stamp[:8].isdigit() and stamp[9:13].isdigit()):
            return "-"
        return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]} UTC"

    def __str__(self) -> str:
        accuracy = "not evaluated there" if self.accuracy is None else f"{percent(self.accuracy)} right there"
        return f"{self.model} {self.scheme}, {accuracy}, sha256 {self.sha256[:12]}, since {self.since}"


def status(target: Target, progress: Callable[[str], None], python: str | None = None) -> tuple[InUse, str, str]:
    """Return what is in use on a device, the version of edge-digits there, and what its service does.

    Args:
        target: the device.
        progress: called with one line before each step.
        python: the interpreter there that has edge-digits; None for that of the installation.

    Raises:
        DeployError: the device cannot be reached, or nothing was deployed to it.
    """
    with connected(target, progress) as device:
        return _about(device), _version(device), _service(device, python or _VENV)


def roll_back(target: Target, progress: Callable[[str], None], python: str | None = None) -> InUse:
    """Put the bundle into use that was in use before, if its model answers, and return it.

    Done twice, it leads back: the bundle that was in use until now stays.

    Args:
        target: the device.
        progress: called with one line before each step.
        python: the interpreter there that has edge-digits; None for that of the installation.

    Raises:
        DeployError: the device cannot be reached, there is no bundle to go back to, or its model does not answer; what
            is in use stays in use.
    """
    with connected(target, progress) as device:
        former = device.ask(
            "find the former bundle",
            # The newest that is neither in use nor being deployed. Their names begin with the time.
            'now=$(basename "$(readlink current)"); found=',
            'for each in bundles/*; do n=$(basename "$each"); if [ "$n" != "$now" ] && [ ! -e "$each/.deploying" ]; '
            'then found=$n; fi; done; printf "%s\\n" "$found"',
            advice="deploy to it first",
        )
        if not former:
            raise DeployError(f"{target.host}: no other bundle is there to go back to; deploy the model that you want")
        if not re.fullmatch(r"[\w.-]{1,100}", former, re.ASCII):
            raise DeployError(f"{target.host}: a bundle of the name {former[:60]!r}; remove it there")
        folder = f"bundles/{former}"
        kept = "what is in use stays in use"
        device.run("try the former model", bundles.trial(command_line(python or _VENV), folder), advice=kept)
        for line in use(device, former, python or _VENV):
            device.progress(f"{target.host}: {printable(line)}")
        return _about(device)


def _about(device: Device) -> InUse:
    command = f"{shlex.join(['python3', '-c', _ABOUT])} | head -c {_LARGEST}"
    found: InUse = device.ask_for(InUse, "ask what is in use", "test -d current", command, advice="deploy to it first")
    return found


def _version(device: Device) -> str:
    command = f"{shlex.join([_VENV, '-c', _VERSION])} | head -c 40"
    answer = device.ask("ask for the version", f"test ! -x {_VENV} || {command}", advice="deploy to it again")
    return answer if re.fullmatch(r"[\w.+-]{1,40}", answer, re.ASCII) else "-"


def _service(device: Device, program: str) -> str:
    """Return what the service of a device does, in a line; empty where it has none."""
    command = f"{shlex.join([program, '-m', service.MODULE, 'status'])} | head -c {_LARGEST}"
    none = f"test -e {service.RECORD} || {{ echo '[]'; exit; }}"
    lines: list[str] = device.ask_for(Said, "ask how the service is", none, command, advice="deploy to it again")
    return "; ".join(lines)
